// The requests of a running agent to models are stored in few statements, without secrets, within a number of rows, and
// only while its claim holds.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { findViolations } from "@dari/control/operations";
import { claimTurn, finishTurn } from "@dari/control/turns";
import { modelRequests, type ClaimedTurn, type Database } from "@dari/db";
import { createScrubber, newId, type Notifier } from "@dari/domain";
import type { ModelRequest, ModelResult } from "@dari/gateway";
import { createLogger } from "@dari/runtime";
import { createTestAgent, createTestDatabase, createTestMessage, createTestOrganization } from "@dari/testkit";
import { createTestSession, type TestDatabase } from "@dari/testkit";
import type { RestoredAttempt } from "../src/turn/attempt.ts";
import { createModelRequestRecorder } from "../src/turn/recorders/record-model-requests.ts";

const notifier: Notifier = { notify: () => {}, subscribe: () => () => undefined, close: () => Promise.resolve() };
const log = createLogger({ name: "record-model-requests", level: "silent" });
const secret = "sk-0123456789abcdef";

let database: TestDatabase;
let place: { organizationId: string; agentId: string };
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
async function open(rowsMax?: number) {
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
  const turn = { ...claim.turn, scrubber: createScrubber([["KEY", secret]]) };
  const lease = { signal: new AbortController().signal, release: () => undefined };
  const attempt = { context: { db, notifier, log }, turn, lease } as unknown as RestoredAttempt;
  return { recorder: createModelRequestRecorder(attempt, rowsMax), counts, turn: claim.turn };
}

async function rowsOf({ messageId }: ClaimedTurn, limit = 100) {
  const of = { organizationId: place.organizationId, messageId };
  return (await modelRequests.listModelRequests(database.db, of, { limit }))!.rows;
}

const result: ModelResult = {
  model: "gpt-5",
  finishReason: "stop",
  input: 100,
  cachedInput: 60,
  cacheWrite: null,
  output: 7,
  reasoning: 2,
  isComplete: true,
  unread: null,
  status: 200,
  durationMs: 12,
  isRecorded: false,
};
const request = (changed: Partial<ModelResult> = {}): ModelRequest => ({
  host: "api.openai.com",
  format: "openai-chat",
  result: Promise.resolve({ ...result, ...changed }),
});
const release = (turn: ClaimedTurn) =>
  finishTurn({ db: database.db, notifier, log }, turn, place.organizationId, { ending: "released" });

test("requests have the order of their beginning, and are stored together, without secrets", async () => {
  const { recorder, counts, turn } = await open();
  const late = Promise.withResolvers<ModelResult>();
  expect(recorder.add({ ...request(), result: late.promise })).toBe(true);
  for (let at = 0; at < 3; at++) recorder.add(request({ model: `no-${secret}`, status: 404, input: null }));
  const ended = recorder.end();
  late.resolve(result);
  await ended;
  expect(counts.statements).toBe(1);
  const rows = await rowsOf(turn);
  expect(rows.map(({ ordinal }) => ordinal)).toEqual([1, 2, 3, 4]);
  const { attemptId } = turn;
  expect(rows[0]).toMatchObject({ ...result, attemptId, requests: 1, host: "api.openai.com", format: "openai-chat" });
  expect(rows[1]).toMatchObject({ model: "no-[redacted:KEY]", status: 404, input: null });
  // A request that begins later belongs to the session's next turn.
  expect(recorder.add(request())).toBe(false);
  await recorder.end();
  expect(counts.statements).toBe(1);
  await release(turn);
});

test("an agent without requests costs no statement", async () => {
  const { recorder, counts, turn } = await open();
  await recorder.end();
  expect(counts.statements).toBe(0);
  await release(turn);
});

test("of very many requests, the last row has the sums", async () => {
  const { recorder, turn } = await open(10);
  for (let at = 0; at < 100_000; at++) {
    recorder.add(request({ cachedInput: at % 2 === 0 ? null : 60 }));
    if (at % 1_000 === 0) await Promise.resolve();
  }
  await recorder.end();
  const rows = await rowsOf(turn);
  expect(rows).toHaveLength(11);
  const rest = { ordinal: 11, requests: 99_990, host: null, format: null, model: null, isComplete: true };
  const sums = { input: 9_999_000, cachedInput: 49_995 * 60, cacheWrite: null, output: 699_930 };
  expect(rows[10]).toMatchObject({ ...rest, ...sums });
  await release(turn);
});

test("a superseded claim stores nothing", async () => {
  const { recorder, turn } = await open();
  await release(turn);
  recorder.add(request());
  await recorder.end();
  expect(await rowsOf(turn)).toEqual([]);
});

test("rows end with their session", async () => {
  const { recorder, turn } = await open();
  recorder.add(request());
  await recorder.end();
  await release(turn);
  expect(await rowsOf(turn)).toHaveLength(1);
  await database.db.pool.query("delete from dari.sessions where id = $1", [turn.sessionId]);
  expect(await rowsOf(turn)).toEqual([]);
});
