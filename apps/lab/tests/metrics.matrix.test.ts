// The counters of a fleet's programs agree with PostgreSQL's records.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { findService, waitUntil } from "@dari/testkit";
import { deploy, ended } from "../src/conversation.ts";
import { noRemains, startFleet, type Fleet } from "../src/fleet.ts";
import { playScript, scriptAgent, start } from "../src/script.ts";

let fleet: Fleet;

beforeAll(async () => {
  const env = { DARI_METRICS_BY_ORGANIZATION: "true" };
  fleet = await startFleet({ redisUrl: findService("redis")?.url, workers: 2, metrics: true, env });
}, 120_000);

afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
}, 120_000);

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Reads the metrics of all programs. */
async function read(): Promise<Sample[]> {
  const texts = await Promise.all(fleet.metricsUrls.map(async (url) => (await fetch(url)).text()));
  return texts
    .flatMap((text) => text.split("\n"))
    .flatMap((line) => {
      const [, name = "", labels = "", value = ""] = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      if (name === "") return [];
      const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = "", text = ""]) => [key, text] as const);
      return [{ name, labels: Object.fromEntries(pairs), value: Number(value) }];
    });
}

/** The sum over all programs for each value of a label. */
function sumBy(samples: readonly Sample[], name: string, label: string): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const sample of samples) {
    const key = sample.labels[label];
    if (sample.name === name && key !== undefined && sample.value > 0) sums[key] = (sums[key] ?? 0) + sample.value;
  }
  return sums;
}

const sum = (samples: readonly Sample[], name: string): number =>
  samples.filter((sample) => sample.name === name).reduce((total, sample) => total + sample.value, 0);

const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sumSoFar, one) => sumSoFar + one, 0);

async function countBy(query: string): Promise<Record<string, number>> {
  const { rows } = await fleet.db.pool.query<{ key: string; count: number }>(query);
  return Object.fromEntries(rows.map(({ key, count }) => [key, count]));
}

test("counted turns are recorded turns, however they ended", async () => {
  const { agentId } = await deploy(fleet, scriptAgent({ max_attempts: 2 }));
  const sessions = await Promise.all(Array.from({ length: 6 }, () => fleet.client.createSession(agentId)));
  const turns = sessions.flatMap(({ id }) => [
    playScript(fleet, id, [["write", "a.txt", "a"]]),
    playScript(fleet, id, [["throw", "no"]]),
    playScript(fleet, id, [["read", "a.txt"]]),
  ]);
  expect(await Promise.all(turns)).toHaveLength(18);
  const [first] = sessions;
  const endless = await start(fleet, first!.id, [["forever"]]);
  await waitUntil(async () => (await fleet.client.getMessage(endless.id)).status === "running", { what: "the turn" });
  // A slot becomes free a moment after the end of its turn is recorded.
  await waitUntil(async () => sum(await read(), "dari_turns_running") === 1, { what: "one slot that is taken" });
  await fleet.client.cancelMessage(endless.id);
  expect((await ended(fleet, endless.id)).status).toBe("cancelled");

  const outcomes = await countBy("select outcome as key, count(*) from attempts group by 1");
  const messages = await countBy("select state as key, count(*) from messages group by 1");
  expect(messages).toEqual({ completed: 12, failed: 6, cancelled: 1 });
  // A turn is counted a moment after its commit.
  const isCounted = (found: readonly Sample[]): boolean => sum(found, "dari_turns_total") === total(outcomes);
  const samples = await waitUntil(
    async () => {
      const found = await read();
      return isCounted(found) && found;
    },
    { what: "the last turn to be counted" },
  );
  expect(sumBy(samples, "dari_turns_total", "ending")).toEqual(outcomes);
  const byOrganization = sumBy(samples, "dari_organization_turns_total", "organization");
  expect(byOrganization).toEqual({ [fleet.organizationId]: total(outcomes) });
  expect(sum(samples, "dari_turn_queue_seconds_count")).toBe(total(outcomes));
  expect(sumBy(samples, "dari_builds_total", "result")).toEqual({ ready: 1 });
  await waitUntil(async () => sum(await read(), "dari_turns_running") === 0, { what: "free slots" });
  const posted = samples.filter(
    ({ name, labels }) => name === "dari_http_requests_total" && labels["method"] === "POST",
  );
  const sync = posted.filter(({ labels }) => labels["route"] === "/v1/sessions/{session_id}/messages");
  expect(sync.map(({ labels, value }) => [labels["status"], value])).toEqual([["200", 18]]);
  expect(sum(samples, "dari_dispatches_total")).toBeGreaterThanOrEqual(messages["completed"] ?? 0);
}, 180_000);

test("the reconciler says what waits, by what PostgreSQL says", async () => {
  const { rows } = await fleet.db.pool.query<{ count: number }>(
    "select count(*) from sessions where schedule = 'ready'",
  );
  const samples = await read();
  expect([sum(samples, "dari_waiting_turns"), rows[0]?.count]).toEqual([0, 0]);
  const programs = samples.filter(({ name }) => name === "dari_build_info");
  expect(programs).toHaveLength(4);
  expect(samples.some(({ name }) => name === "process_resident_memory_bytes")).toBe(true);
});
