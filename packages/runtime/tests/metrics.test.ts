// Counted values can be read; labels stay few; a log line is an event whatever the level.

import perfHooks from "node:perf_hooks";
import { mock } from "node:test";
import { afterEach, expect, test } from "@jest/globals";
import { createLogger, createMetrics, serveHealth, type HealthServer } from "../src/index.ts";

const catalogue = {
  done_total: { kind: "counter", about: "Done.", labels: { ending: ["good", "bad"] } },
  named_total: { kind: "counter", about: "Named.", labels: { name: "Any." } },
  waits: { kind: "gauge", about: "Waiting." },
  took_seconds: { kind: "histogram", about: "Took.", buckets: [1, 2] },
} as const;

const servers: HealthServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
});

const lines = async (metrics: { read(): Promise<string> }): Promise<string[]> =>
  (await metrics.read()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));

test("counters begin at zero for each value that is known, and count what is a number", async () => {
  const metrics = createMetrics(catalogue, { process: false });
  metrics.add("done_total", { ending: "good" });
  metrics.add("done_total", { ending: "good" }, 2);
  for (const odd of [-1, Number.NaN, Infinity]) metrics.add("done_total", { ending: "bad" }, odd);
  metrics.observe("took_seconds", 1.5);
  metrics.observe("took_seconds", undefined);
  expect(await lines(metrics)).toEqual([
    'done_total{ending="good"} 3',
    'done_total{ending="bad"} 0',
    "waits 0",
    'took_seconds_bucket{le="1"} 0',
    'took_seconds_bucket{le="2"} 1',
    'took_seconds_bucket{le="+Inf"} 1',
    "took_seconds_sum 1.5",
    "took_seconds_count 1",
  ]);
});

test("above their limit, label values are one", async () => {
  const metrics = createMetrics(catalogue, { process: false, labelSetsMax: 2 });
  for (const name of ["a", "b", "c", "d", "a"]) metrics.add("named_total", { name });
  expect((await lines(metrics)).filter((line) => line.startsWith("named"))).toEqual([
    'named_total{name="a"} 2',
    'named_total{name="b"} 1',
    'named_total{name="other"} 2',
  ]);
});

test("gauges are read when they are scraped; one that cannot be read shows no old value", async () => {
  const metrics = createMetrics(catalogue, { process: false });
  let isAway = false;
  metrics.beforeRead(async () => {
    metrics.set("waits", 7);
    if (!isAway) return;
    metrics.remove("waits");
    throw new Error("away");
  });
  expect(await lines(metrics)).toContain("waits 7");
  isAway = true;
  expect((await lines(metrics)).filter((line) => line.startsWith("waits"))).toEqual([]);
});

test("a read that does not return delays no one", async () => {
  const metrics = createMetrics(catalogue, { process: false, lookMs: 20 });
  metrics.beforeRead(() => new Promise(() => undefined));
  expect(await lines(metrics)).toContain("waits 0");
});

test("a line below the level is still an event, also of a child", () => {
  const events: [object, string][] = [];
  const written: string[] = [];
  const log = createLogger({
    name: "test",
    level: "error",
    destination: { write: (line) => void written.push(line) },
    observe: (fields, event) => void events.push([fields, event]),
  });
  log.debug({ turns: 2 }, "turns.dispatched");
  log.child({ loop: "x" }).warn({ count: 1 }, "seen");
  log.info("plain");
  expect(events).toEqual([
    [{ turns: 2 }, "turns.dispatched"],
    [{ count: 1 }, "seen"],
    [{}, "plain"],
  ]);
  expect(written).toEqual([]);
});

test("the health port serves them, to be read only", async () => {
  const metrics = createMetrics(catalogue, { process: true });
  const server = await serveHealth({ port: 0, checks: {}, metrics });
  servers.push(server);
  const url = `http://127.0.0.1:${server.port}/metrics`;
  const reply = await fetch(url);
  expect([reply.status, reply.headers.get("content-type")]).toEqual([200, expect.stringContaining("version=0.0.4")]);
  expect(await reply.text()).toMatch(/^process_cpu_seconds_total /m);
  expect((await fetch(url, { method: "POST", body: "x" })).status).toBe(405);
});

test("the process is measured from the first read on", async () => {
  const measured = mock.method(perfHooks, "monitorEventLoopDelay");
  const metrics = createMetrics(catalogue);
  expect(measured.mock.callCount()).toBe(0);
  expect(await metrics.read()).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
  await metrics.read();
  expect(measured.mock.callCount()).toBe(1);
});
