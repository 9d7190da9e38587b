// Recorded answers of models: written under the claim, given to the attempt after a lost worker but not to one after a
// failure, deleted with the end of their message.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { sql } from "kysely";
import {
  dispatch,
  findViolations,
  messageInputs,
  recordedAnswers,
  modelRequests,
  turns,
  type ClaimedTurn,
  type FinishInput,
  type RecordedAnswerRow,
} from "../src/index.ts";
import { emptySnapshot, openScene, type Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene({ maxAttempts: 9, onWorkerLost: true });
});
afterAll(async () => {
  expect(await findViolations(scene.db)).toEqual([]);
  await scene.close();
});

const max = { rows: 3, bytes: 100 };
const one: RecordedAnswerRow = { digest: "a1", ordinal: 1, objectKey: "org/answers/1", sizeBytes: 40 };
const two: RecordedAnswerRow = { ...one, ordinal: 2, objectKey: "org/answers/2" };
const record = (turn: ClaimedTurn, answer: RecordedAnswerRow) =>
  recordedAnswers.recordAnswerIfHeld(scene.db, turn, answer, max);

async function claimed(session: string, leaseMs?: number): Promise<ClaimedTurn> {
  const turn = await scene.claim(session, leaseMs);
  await turns.markCalledIfHeld(scene.db, turn);
  return turn;
}

/** A called turn with one recorded answer. */
async function running(leaseMs?: number): Promise<ClaimedTurn> {
  const session = await scene.session();
  await scene.send(session);
  const turn = await claimed(session, leaseMs);
  expect(await record(turn, one)).toBe("stored");
  return turn;
}

const agentError = { code: "agent_error", message: "it threw" } as const;
async function finish(turn: ClaimedTurn, input: FinishInput): Promise<string | undefined> {
  const result = await turns.finishIfHeld(scene.db, turn, {
    // One that asks for an input of its agent has no failure.
    ...(input.ending === "suspended" ? {} : { failure: agentError }),
    ...input,
  });
  await dispatch.makeDueRetriesReady(scene.db, 10);
  return result?.recorded;
}

const reap = () => dispatch.reapExpired(scene.db, { limit: 100, graceMs: 0, overdueMs: 0, uncountedClaimsMax: 2 });
const completed = (): FinishInput => ({
  ending: "completed",
  failure: undefined,
  output: { parts: [] },
  snapshot: emptySnapshot(null),
});
const keysOf = (turn: ClaimedTurn) => turn.details?.recordedAnswers.map(({ objectKey }) => objectKey).sort();

async function countRows({ messageId }: ClaimedTurn): Promise<number> {
  const { rows } = await sql<{ n: number }>`select count(*)::int as n from recorded_answers
    where message_id = ${messageId}`.execute(scene.db.kysely);
  return rows[0]?.n ?? -1;
}

async function isNamed(key: string): Promise<boolean | undefined> {
  const { rows } = await sql<{ named: boolean }>`select is_named(${key}) as named`.execute(scene.db.kysely);
  return rows[0]?.named;
}

test("a first attempt has none, a repeated call changes nothing, and a new answer replaces an old one", async () => {
  const turn = await running(0);
  expect(turn.details?.recordedAnswers).toEqual([]);
  expect(await record(turn, one)).toBe("stored");
  expect(await record(turn, two)).toBe("stored");
  await reap();
  const next = await claimed(turn.sessionId);
  expect(next.details?.recordedAnswers.toSorted((a, b) => a.ordinal - b.ordinal)).toEqual([one, two]);
  const again = { ...one, objectKey: "org/answers/3", sizeBytes: 60 };
  expect(await record(next, again)).toBe("stored");
  expect([await isNamed(one.objectKey), await isNamed(again.objectKey)]).toEqual([false, true]);
  await finish(next, completed());
  expect([await countRows(turn), await isNamed(again.objectKey)]).toEqual([0, false]);
});

test("a message has so many answers, and so many bytes of them", async () => {
  const turn = await running();
  expect(await record(turn, { ...two, sizeBytes: 61 })).toBe("full");
  expect(await record(turn, { ...two, sizeBytes: 58 })).toBe("stored");
  expect(await record(turn, { ...one, digest: "b", sizeBytes: 2 })).toBe("stored");
  expect(await record(turn, { ...one, digest: "c", sizeBytes: 0 })).toBe("full");
  await finish(turn, completed());
});

test("a superseded claim records nothing, nor does one whose message has ended", async () => {
  const turn = await running(0);
  await reap();
  expect(await record(turn, two)).toBe("refused");
  const next = await claimed(turn.sessionId);
  expect(await record({ ...next, token: turn.token }, two)).toBe("refused");
  await finish(next, completed());
  expect(await record(next, two)).toBe("refused");
  expect(await countRows(turn)).toBe(0);
});

test("an object that is being deleted gets no row, and one that is marked loses its mark", async () => {
  const turn = await running();
  await sql`insert into tombstones (object_key, organization_id, size_bytes, doomed_at)
    values ('org/answers/doomed', ${scene.organizationId}, 1, now()),
      (${two.objectKey}, ${scene.organizationId}, 1, null)`.execute(scene.db.kysely);
  expect(await record(turn, { ...two, objectKey: "org/answers/doomed" })).toBe("refused");
  expect(await record(turn, two)).toBe("stored");
  const marks = await sql`select 1 from tombstones where object_key = ${two.objectKey}`.execute(scene.db.kysely);
  expect(marks.rows).toEqual([]);
  await finish(turn, completed());
});

const lostFailure = { code: "worker_lost", message: "it had no memory left" } as const;
const platformFailure = { code: "internal_error", message: "the platform failed" } as const;
test.each<[name: string, end: (turn: ClaimedTurn) => Promise<unknown>]>([
  ["a release", (turn) => finish(turn, { ending: "released" })],
  ["a lost worker that says so", (turn) => finish(turn, { ending: "retry", failure: lostFailure, waitMs: 0 })],
  ["a failure of the platform", (turn) => finish(turn, { ending: "retry", failure: platformFailure, waitMs: 0 })],
  [
    "an answered input",
    async (turn) => {
      const asked = { key: "go", schema: {}, prompt: undefined, waitSeconds: 60, placed: [] };
      await finish(turn, { ending: "suspended", asked, snapshot: emptySnapshot(null) });
      const { organizationId } = scene;
      const { messageId } = turn;
      const given = { organizationId, messageId, key: "go", value: true, dispatchTtlMs: undefined };
      await messageInputs.answerIfWaiting(scene.db, given);
    },
  ],
])("the attempt after %s gets them", async (_name, end) => {
  const turn = await running();
  await end(turn);
  const next = await claimed(turn.sessionId);
  expect(keysOf(next)).toEqual([one.objectKey]);
  await finish(next, completed());
});

test("the attempt after a failure gets none of those before it, and later ones get what came after it", async () => {
  const turn = await running();
  await finish(turn, { ending: "retry", waitMs: 0 });
  const second = await claimed(turn.sessionId, 0);
  expect(keysOf(second)).toEqual([]);
  const later = { ...one, objectKey: "org/answers/later" };
  expect(await record(second, later)).toBe("stored");
  await reap();
  const third = await claimed(turn.sessionId, 0);
  expect(keysOf(third)).toEqual([later.objectKey]);
  // A lost attempt after that changes nothing.
  await reap();
  const fourth = await claimed(turn.sessionId);
  expect(keysOf(fourth)).toEqual([later.objectKey]);
  await finish(fourth, { ending: "failed" });
  expect(await countRows(turn)).toBe(0);
});

test("answers before a failure leave room for those after it", async () => {
  const turn = await running();
  expect(await record(turn, { ...two, sizeBytes: 60 })).toBe("stored");
  expect(await record(turn, { ...two, ordinal: 3 })).toBe("full");
  await finish(turn, { ending: "retry", waitMs: 0 });
  const next = await claimed(turn.sessionId);
  expect(await record(next, { ...one, sizeBytes: 100 })).toBe("stored");
  expect(await countRows(turn)).toBe(1);
  await finish(next, completed());
});

test("a request that was answered from a record costs nothing, and does not count in limits", async () => {
  const turn = await running();
  const counts = { input: null, cachedInput: null, cacheWrite: null, output: null, reasoning: null };
  const answered = { status: 200, model: "gpt-5", finishReason: "stop", isComplete: true, unread: null, durationMs: 1 };
  const request = { requests: 1, host: "api.openai.com", format: "openai-chat", ...counts, ...answered } as const;
  const rows = [
    { ...request, ordinal: 1, isRecorded: true },
    { ...request, ordinal: 2, isRecorded: false },
  ];
  await modelRequests.recordModelRequestsIfHeld(scene.db, turn, rows);
  const listed = await modelRequests.listModelRequests(scene.db, { ...scene, messageId: turn.messageId }, { limit: 9 });
  expect(listed?.rows.map(({ isRecorded, cost }) => [isRecorded, cost])).toEqual([
    [true, 0],
    [false, null],
  ]);
  const { rows: reserved } =
    await sql`select outcome, requests from reserve_model_request(p_session => ${turn.sessionId},
    p_fence => ${turn.fence}, p_token => ${turn.token}, p_ordinal => 3, p_host => 'api.openai.com',
    p_format => 'openai-chat', p_tokens => 1, p_max_requests => 2, p_max_tokens => null)`.execute(scene.db.kysely);
  expect(reserved).toEqual([{ outcome: "reserved", requests: 1 }]);
  await finish(turn, completed());
  const { rows: attempts } =
    await sql`select metered_requests::int as n from attempts where id = ${turn.attemptId}`.execute(scene.db.kysely);
  expect(attempts).toEqual([{ n: 2 }]);
});

test("a cancel by the organization deletes them, and so does the purge of a session", async () => {
  const turn = await running(0);
  await reap();
  const { organizationId } = scene;
  await turns.cancelMessageOf(scene.db.forOrganization(organizationId), organizationId, turn.messageId);
  expect(await countRows(turn)).toBe(0);
  const other = await running();
  await scene.db.pool.query("delete from sessions where id = $1", [other.sessionId]);
  expect(await countRows(other)).toBe(0);
});

test("an organization sees only its own", async () => {
  const turn = await running();
  const other = scene.db.forOrganization("org_other");
  const count = (db: typeof other) =>
    sql<{ n: number }>`select count(*)::int as n from recorded_answers`.execute(db.kysely);
  expect((await count(other)).rows).toEqual([{ n: 0 }]);
  expect((await count(scene.db.forOrganization(scene.organizationId))).rows[0]?.n).toBeGreaterThan(0);
  await finish(turn, completed());
});
