// The events of a running agent are stored in their order, in few statements, without secrets, and only while its claim
// holds.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { findViolations } from "@dari/control/operations";
import { claimTurn, finishTurn } from "@dari/control/turns";
import type { ClaimedTurn, Database } from "@dari/db";
import { createScrubber, limits, newId, type Notifier } from "@dari/domain";
import { createLogger } from "@dari/runtime";
import { createTestAgent, createTestDatabase, createTestMessage, createTestOrganization } from "@dari/testkit";
import { createTestSession, waitUntil, type TestDatabase } from "@dari/testkit";
import type { RestoredAttempt } from "../src/turn/attempt.ts";
import type { BatchTimes } from "../src/turn/recorders/batch-events.ts";
import { createEventRecorder } from "../src/turn/recorders/record-events.ts";

let database: TestDatabase;
let place: { organizationId: string; agentId: string };
const log = createLogger({ name: "record-events", level: "silent" });
const secret = "sk-0123456789abcdef";
let notified: string[] = [];
const notifier: Notifier = {
  notify: (_topic, id) => void notified.push(id),
  subscribe: () => () => undefined,
  close: () => Promise.resolve(),
};

beforeAll(async () => {
  database = await createTestDatabase();
  const { organizationId } = await createTestOrganization(database.db);
  const { agentId } = await createTestAgent(database.db, organizationId);
  place = { organizationId, agentId };
});
afterAll(async () => {
  expect(await findViolations(database.db)).toEqual([]);
  await database.close();
});

type Plugin = Parameters<Database["kysely"]["withPlugin"]>[0];

/** A recorder of a claimed turn, with the number of statements that it has used. */
async function open(times?: BatchTimes) {
  const sessionId = await createTestSession(database.db, place.organizationId, place.agentId);
  await createTestMessage(database.db, place.organizationId, sessionId);
  const claimant = { workerId: newId("worker"), leaseMs: 600_000, guarantees: {} };
  const claim = await claimTurn(database.db, { sessionId, dispatchNumber: 1 }, claimant);
  if (claim.outcome !== "claimed") throw new Error(claim.outcome);
  const counts = { statements: 0 };
  const plugin: Plugin = {
    transformQuery({ node }) {
      counts.statements += 1;
      return node;
    },
    transformResult: ({ result }) => Promise.resolve(result),
  };
  const db = { ...database.db, kysely: database.db.kysely.withPlugin(plugin) };
  const lines: string[] = [];
  const turn = { ...claim.turn, scrubber: createScrubber([["KEY", secret]]) };
  const lease = { signal: new AbortController().signal, release: () => undefined };
  const viewers = { isThere: true, asked: 0 };
  const previews = {
    isFollowed: () => {
      viewers.asked += 1;
      return Promise.resolve(viewers.isThere);
    },
  };
  const attempt = { context: { db, notifier, previews, log }, turn, lease } as unknown as RestoredAttempt;
  const recorder = createEventRecorder(attempt, { add: (_stream, text) => void lines.push(text) }, times);
  return { recorder, counts, lines, viewers, turn: claim.turn, events: () => eventsOf(claim.turn) };
}

async function eventsOf({ sessionId, attemptId }: ClaimedTurn): Promise<{ type: string; data: object }[]> {
  const { rows } = await database.db.pool.query<{ type: string; data: object }>(
    `select type, data from events where session_id = $1 and attempt_id = $2 and type <> 'attempt.started'
      order by sequence_number`,
    [sessionId, attemptId],
  );
  return rows;
}

const call = (call_id: string, value: unknown = {}) => ({
  type: "tool.call_requested",
  data: { call_id, name: "search", kind: "function", arguments: value },
});

test("activity is stored together, and an emitted event after it, at once", async () => {
  const { recorder, counts, turn, events } = await open();
  notified = [];
  for (const id of ["a", "b", "c"]) await recorder.add(call(id));
  expect(await events()).toEqual([]);
  await recorder.emit("half", { done: 0.5 });
  expect((await events()).map(({ type }) => type)).toEqual([...Array(3).fill("tool.call_requested"), "agent.event"]);
  expect([counts.statements, notified]).toEqual([1, [turn.sessionId]]);
  await recorder.add(call("d"));
  await waitUntil(async () => (await events()).length === 5, { what: "the event that nothing follows" });
  await recorder.end();
  expect(counts.statements).toBe(2);
});

test("while no client follows the session, activity waits, and is stored once one does", async () => {
  const { recorder, counts, viewers, events } = await open({ flushEveryMs: 5, unfollowedMs: 60_000, askEveryMs: 5 });
  viewers.isThere = false;
  await recorder.add(call("a"));
  await waitUntil(() => viewers.asked > 1, { what: "a second question" });
  await recorder.add(call("b"));
  await waitUntil(() => viewers.asked > 3, { what: "a fourth question" });
  expect([counts.statements, await events()]).toEqual([0, []]);
  viewers.isThere = true;
  await waitUntil(async () => (await events()).length === 2, { what: "both events" });
  expect(counts.statements).toBe(1);
  await recorder.end();
});

test("activity that no client follows is stored after a while, in one statement", async () => {
  const { recorder, counts, viewers, events } = await open({ flushEveryMs: 5, unfollowedMs: 50, askEveryMs: 60_000 });
  viewers.isThere = false;
  await recorder.add(call("a"));
  await recorder.add(call("b"));
  await waitUntil(async () => (await events()).length === 2, { what: "both events" });
  expect(counts.statements).toBe(1);
  await recorder.end();
});

test("an agent that does much waits until it is stored", async () => {
  const { recorder, counts, events } = await open();
  for (let i = 0; i < 120; i++) await recorder.add(call(`call_${i}`));
  await recorder.end();
  expect((await events()).map(({ data }) => (data as { call_id: string }).call_id)).toEqual(
    Array.from({ length: 120 }, (_, i) => `call_${i}`),
  );
  expect(counts.statements).toBeGreaterThanOrEqual(3);
  expect(counts.statements).toBeLessThan(10);
});

test("no secret is stored, also if its value was cut within it", async () => {
  const { recorder, events } = await open();
  await recorder.add(call("a", { [secret]: [`key ${secret}`, Buffer.from(secret).toString("hex")] }));
  const cut = `${"x".repeat(limits.activityValueBytes - 12)}${secret.slice(0, 12)}`;
  await recorder.add({ type: "reasoning.completed", data: { text: cut, text_bytes: 20_000, agent: secret } });
  const atLimit = (chars: number) => `${"x".repeat(chars - 12)}${secret.slice(0, 12)}`;
  await recorder.add({
    type: "model.request_completed",
    data: { ordinal: 1, duration_ms: 1, error: atLimit(limits.activityErrorChars), agent: atLimit(limits.nameChars) },
  });
  const items = [{ text: atLimit(limits.planItemChars), status: "pending" }];
  await recorder.add({ type: "plan.updated", data: { items } });
  await recorder.end();
  expect(JSON.stringify((await events()).slice(2))).not.toContain(secret.slice(0, 12));
  const [first, second] = await events();
  const shown = "[redacted:KEY]";
  expect(first!.data).toMatchObject({ call_id: "a", arguments: { [shown]: [`key ${shown}`, shown] } });
  expect(second!.data).toEqual({ text: cut.slice(0, -12) + shown, text_bytes: 20_000, agent: shown });
});

test("what is not valid is left out, with a line in the log, and counted", async () => {
  const { recorder, lines, events } = await open();
  await recorder.add(call("a"));
  await recorder.add({ type: "session.created", data: {} });
  for (let i = 0; i < 7; i++) await recorder.add({ ...call("b"), data: { ...call("b").data, kind: secret } });
  recorder.omit(16);
  recorder.omit(20);
  await recorder.end();
  expect(await events()).toMatchObject([
    { type: "tool.call_requested" },
    { type: "agent.events_omitted", data: { count: 28 } },
  ]);
  expect(lines).toHaveLength(5);
  expect(lines[0]).toBe("an event was not recorded: session.created: its type is unknown\n");
  expect(lines[1]).toMatch(/^an event was not recorded: tool\.call_requested: kind: expected one of/);
  expect(lines.join("")).not.toContain(secret);
});

test("once the claim is superseded nothing is stored, and the turn ends", async () => {
  const { recorder, turn, events } = await open();
  await recorder.add(call("a"));
  await recorder.end();
  await finishTurn({ db: database.db, notifier, log }, turn, turn.organizationId, { ending: "released" });
  await recorder.add(call("b"));
  await expect(recorder.end()).rejects.toThrow("superseded");
  await expect(recorder.emit("c", null)).rejects.toThrow("superseded");
  expect((await events()).map(({ type }) => type)).toEqual(["tool.call_requested", "attempt.ended"]);
});
