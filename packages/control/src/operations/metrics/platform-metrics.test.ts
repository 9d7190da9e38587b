// Log lines become metrics. Organizations get labels only on request, up to a limit.

import { expect, test } from "@jest/globals";
import { createPlatformMetrics, type PlatformMetricsOptions } from "./platform-metrics.ts";

const finished = { recorded: "retry", code: "agent_failed", queue_ms: 1_500, image_ms: 2, agent_ms: 40 };

function start(options: Partial<PlatformMetricsOptions> = {}) {
  const metrics = createPlatformMetrics({ parts: ["worker"], byOrganization: false, ...options });
  const read = async (name: string): Promise<string[]> =>
    (await metrics.read()).split("\n").filter((line) => line.startsWith(name));
  return { ...metrics, read };
}

test("a turn's line counts its ending, its failure and where its time went", async () => {
  const metrics = start();
  metrics.observe({ ...finished, org: "org_1" }, "turn.finished");
  expect(await metrics.read('dari_turns_total{ending="retry"}')).toEqual(['dari_turns_total{ending="retry"} 1']);
  expect(await metrics.read("dari_turn_failures_total{")).toEqual(['dari_turn_failures_total{code="agent_failed"} 1']);
  expect(await metrics.read("dari_turn_queue_seconds_sum")).toEqual(["dari_turn_queue_seconds_sum 1.5"]);
  const phases = await metrics.read("dari_turn_phase_seconds_sum");
  expect(phases).toEqual([
    'dari_turn_phase_seconds_sum{phase="image"} 0.002',
    'dari_turn_phase_seconds_sum{phase="agent"} 0.04',
  ]);
  expect(await metrics.read("dari_organization")).toEqual([]);
});

test("lines that are not events, or another program's, count nothing", async () => {
  const metrics = start();
  const before = (await metrics.read("dari_")).filter((line) => !line.startsWith("dari_build_info"));
  for (const event of ["toString", "__proto__", "anything", "session.reaped"]) metrics.observe({}, event);
  expect((await metrics.read("dari_")).filter((line) => !line.startsWith("dari_build_info"))).toEqual(before);
});

test("past two hundred, organizations are one", async () => {
  const metrics = start({ byOrganization: true });
  for (let index = 0; index < 300; index += 1) metrics.observe({ ...finished, org: `org_${index}` }, "turn.finished");
  const lines = await metrics.read("dari_organization_turns_total{");
  expect(lines).toHaveLength(201);
  expect(lines.at(-1)).toBe('dari_organization_turns_total{organization="other",ending="retry"} 100');
});

test("a worker's slots and a queue that is away are read with each scrape", async () => {
  const metrics = start({ parts: ["worker", "reconciler"] });
  const worker = { running: 1, offered: 4 };
  metrics.watchWorker(worker);
  expect(await metrics.read("dari_slots_free")).toEqual(["dari_slots_free 3"]);
  worker.running = 4;
  expect(await metrics.read("dari_slots_free")).toEqual(["dari_slots_free 0"]);
  const queue = { available: true, counts: () => Promise.reject(new Error("away")) };
  const db = { kysely: undefined } as never;
  metrics.watchSchedule({ db, queue });
  for (const name of ["dari_waiting_turns", "dari_sessions", "dari_queue_jobs"]) {
    expect(await metrics.read(name)).toEqual([]);
  }
});
