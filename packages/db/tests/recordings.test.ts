// Recordings: the answers of a completed message that are kept for replays, and what a replay starts from.

import { newId } from "@dari/domain";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { sql } from "kysely";
import {
  agents,
  answerRecording,
  correctCount,
  dispatch,
  findViolations,
  heads,
  listCountsToCorrect,
  messageInputs,
  recordedAnswers,
  modelRequests,
  organizations,
  recordings,
  retention,
  sessions,
  steering,
  turns,
  withinTransaction,
  withTransaction,
  type ClaimedTurn,
  type RecordedAnswerRow,
} from "../src/index.ts";
import { emptySnapshot, openScene, type Scene } from "./scene.ts";

let scene: Scene;
beforeEach(async () => {
  scene = await openScene({ keepDays: 3, onWorkerLost: true, maxAttempts: 3 });
});
afterEach(async () => {
  expect(await findViolations(scene.db)).toEqual([]);
  for (const place of await listCountsToCorrect(scene.db, { everyMs: 0, limit: 100 })) {
    expect(await correctCount(scene.db, place)).toBeUndefined();
  }
  await scene.close();
});

test("nothing is kept once the organization does not allow it, also not of earlier attempts", async () => {
  const { turn } = await running();
  await answerRecording.putAnswerRecordingIfThere(scene.db, scene.organizationId, "never");
  await complete(turn);
  expect([await find(turn), await countAnswers(turn)]).toEqual([undefined, 0]);
});

const max = { rows: 10, bytes: 1_000 };
const answer = (n: number): RecordedAnswerRow => ({
  digest: `d${n}`,
  ordinal: 1,
  objectKey: `org/answers/${newId("value")}`,
  sizeBytes: 40,
});

/** A called turn of a new session, or of this one, with two recorded answers. */
async function running(sessionId?: string, leaseMs?: number) {
  const session = sessionId ?? (await scene.session());
  await scene.send(session);
  const turn = await scene.claim(session, leaseMs);
  await turns.markCalledIfHeld(scene.db, turn);
  const answers = [answer(1), answer(2)];
  for (const one of answers) {
    expect(await recordedAnswers.recordAnswerIfHeld(scene.db, turn, one, max)).toBe("stored");
  }
  return { turn, answers };
}

async function complete(turn: ClaimedTurn, totalBytes = 0): Promise<string> {
  const { rows } = await sql<{ head: string | null }>`select head_snapshot_id as head from sessions
    where id = ${turn.sessionId}`.execute(scene.db.kysely);
  const snapshot = { ...emptySnapshot(rows[0]!.head), totalBytes };
  const ended = await turns.finishIfHeld(scene.db, turn, { ending: "completed", output: { parts: [] }, snapshot });
  expect(ended?.recorded).toBe("completed");
  return snapshot.id;
}

const find = ({ sessionId, messageId }: ClaimedTurn) =>
  recordings.findRecording(scene.db, { organizationId: scene.organizationId, sessionId, messageId });
const list = async () => (await recordings.listRecordings(scene.db, scene, { limit: 10 }))?.rows.map(({ id }) => id);

async function countAnswers({ messageId }: ClaimedTurn): Promise<number | undefined> {
  const { rows } = await sql<{ n: number }>`select count(*)::int as n from recorded_answers
    where message_id = ${messageId}`.execute(scene.db.kysely);
  return rows[0]?.n;
}

async function bound(max_storage_bytes: number | null): Promise<void> {
  await withTransaction(scene.db, (tx) =>
    organizations.updateOrganizationLimits(withinTransaction(scene.db, tx), scene.organizationId, {
      max_storage_bytes,
    }),
  );
}

async function kept(): Promise<number | undefined> {
  const { rows } = await sql<{ kept: number }>`select kept from kept_counts
    where organization_id = ${scene.organizationId} and kind = 'storage_bytes'`.execute(scene.db.kysely);
  return rows[0]?.kept;
}

async function expire({ messageId }: ClaimedTurn): Promise<void> {
  await sql`update recordings set expires_at = now() where message_id = ${messageId}`.execute(scene.db.kysely);
}

test("the answers of a completed message are kept, count as storage, and are deleted when they expire", async () => {
  await bound(1_000);
  const before = (await kept())!;
  const { turn, answers } = await running();
  expect(await kept()).toBe(before);
  await complete(turn);
  expect(await find(turn)).toMatchObject({ id: turn.messageId, answers: 2, sizeBytes: 80 });
  const { createdAt, expiresAt } = (await find(turn))!;
  expect(expiresAt.getTime() - createdAt.getTime()).toBeGreaterThan(3 * 86_400_000 - 60_000);
  expect([await list(), await kept(), await countAnswers(turn)]).toEqual([[turn.messageId], before + 80, 2]);
  expect(await retention.expireRecordings(scene.db, 10)).toBe(0);

  await expire(turn);
  expect([await find(turn), await list()]).toEqual([undefined, []]);
  expect(await retention.expireRecordings(scene.db, 10)).toBe(1);
  expect([await kept(), await countAnswers(turn)]).toEqual([before, 0]);
  const named = await sql<{ named: boolean }>`select is_named(${answers[0]!.objectKey}) as named`.execute(
    scene.db.kysely,
  );
  expect(named.rows).toEqual([{ named: false }]);
});

test("a message whose answers exceed the quota completes without a recording", async () => {
  const { turn } = await running();
  await bound(80);
  await complete(turn);
  expect([await find(turn), await countAnswers(turn)]).toEqual([undefined, 0]);
  // The scene's bundle has one byte.
  await bound(81);
  const next = await running(turn.sessionId);
  await complete(next.turn);
  expect([(await find(next.turn))?.sizeBytes, await kept()]).toEqual([80, 81]);
  // The workspace that the turn leaves counts too.
  await bound(170);
  const growing = await running(turn.sessionId);
  await complete(growing.turn, 10);
  expect([await find(growing.turn), await kept()]).toEqual([undefined, 91]);
});

test("a failed message and a cancelled one keep nothing", async () => {
  const failed = await running();
  await turns.finishIfHeld(scene.db, failed.turn, {
    ending: "failed",
    failure: { code: "timeout", message: "too long" },
  });
  const cancelled = await running();
  await turns.finishIfHeld(scene.db, cancelled.turn, { ending: "cancelled" });
  expect([await find(failed.turn), await find(cancelled.turn)]).toEqual([undefined, undefined]);
  expect([await countAnswers(failed.turn), await countAnswers(cancelled.turn)]).toEqual([0, 0]);
});

test("answers before a failed attempt are not kept, and those of a lost one are", async () => {
  const { turn } = await running();
  const failure = { code: "agent_error", message: "it threw" } as const;
  await turns.finishIfHeld(scene.db, turn, { ending: "retry", failure, waitMs: 0 });
  await dispatch.makeDueRetriesReady(scene.db, 10);
  const second = await scene.claim(turn.sessionId, 0);
  await turns.markCalledIfHeld(scene.db, second);
  await recordedAnswers.recordAnswerIfHeld(scene.db, second, answer(3), max);
  await dispatch.reapExpired(scene.db, { limit: 100, graceMs: 0, overdueMs: 0, uncountedClaimsMax: 2 });
  const third = await scene.claim(turn.sessionId);
  await turns.markCalledIfHeld(scene.db, third);
  await recordedAnswers.recordAnswerIfHeld(scene.db, third, answer(4), max);
  await complete(third);
  expect([(await find(third))?.answers, await countAnswers(third)]).toEqual([2, 2]);
});

test("a turn that depended on more than its message keeps nothing", async () => {
  const asking = await running();
  const asked = { key: "go", schema: {}, prompt: undefined, waitSeconds: 60, placed: [] };
  await turns.finishIfHeld(scene.db, asking.turn, { ending: "suspended", asked, snapshot: emptySnapshot(null) });
  const { messageId, sessionId } = asking.turn;
  const given = { organizationId: scene.organizationId, messageId, key: "go", value: true, dispatchTtlMs: undefined };
  await messageInputs.answerIfWaiting(scene.db, given);
  const resumed = await scene.claim(sessionId);
  await turns.markCalledIfHeld(scene.db, resumed);
  await complete(resumed);

  const steered = await running();
  await scene.accept(steered.turn.sessionId, { onBusy: "steer", text: "also this" });
  expect(await steering.takeSteeringIfHeld(scene.db, steered.turn, 0)).toHaveLength(1);
  await complete(steered.turn);

  const unstored = await running();
  await retention.markUnstored(scene.db, {
    organizationId: scene.organizationId,
    messageId: unstored.turn.messageId,
    fileIds: [],
  });
  await complete(unstored.turn);
  for (const { turn } of [asking, steered, unstored]) {
    expect([await find(turn), await countAnswers(turn)]).toEqual([undefined, 0]);
  }
});

test("a deleted session keeps nothing in the count, and its purge deletes the rows", async () => {
  await bound(1_000);
  const before = await kept();
  const { turn } = await running();
  await complete(turn);
  const { organizationId } = scene;
  await sessions.softDeleteSessionIfIdle(scene.db, { organizationId, sessionId: turn.sessionId, cancel: false });
  expect([await find(turn), await list(), await kept()]).toEqual([undefined, [], before]);
  await expire(turn);
  expect(await retention.expireRecordings(scene.db, 10)).toBe(1);
  expect(await kept()).toBe(before);

  const purged = await running();
  await complete(purged.turn);
  await sessions.softDeleteSessionIfIdle(scene.db, { organizationId, sessionId: purged.turn.sessionId, cancel: false });
  await scene.db.pool.query("delete from sessions where id = $1", [purged.turn.sessionId]);
  expect([await countAnswers(purged.turn), await kept()]).toEqual([0, before]);
});

test("a deleted agent keeps nothing", async () => {
  const { turn } = await running();
  await complete(turn);
  const open = await running();
  const tenant = scene.db.forOrganization(scene.organizationId);
  expect(await agents.softDeleteAgentIfLive(tenant, scene.organizationId, scene.agentId)).toBe(true);
  expect(await find(turn)).toBeUndefined();
  expect(await retention.expireRecordings(scene.db, 10)).toBe(1);
  await complete(open.turn);
  expect([await find(open.turn), await countAnswers(open.turn)]).toEqual([undefined, 0]);
});

test("another organization finds nothing", async () => {
  const { turn } = await running();
  await complete(turn);
  const other = { organizationId: newId("organization"), sessionId: turn.sessionId, messageId: turn.messageId };
  expect(await recordings.findRecording(scene.db, other)).toBeUndefined();
  expect(await recordings.listRecordings(scene.db, { ...other, agentId: scene.agentId }, { limit: 9 })).toMatchObject({
    rows: [],
  });
  const count = await sql<{ n: number }>`select count(*)::int as n from recordings`.execute(
    scene.db.forOrganization(other.organizationId).kysely,
  );
  expect(count.rows).toEqual([{ n: 0 }]);
});

/** Forks before the message and sends a replay of it there, as one transaction does. */
async function replay(of: ClaimedTurn, asksModels = true): Promise<string> {
  const { organizationId } = scene;
  const sessionId = newId("session");
  const fork = { organizationId, sourceId: of.sessionId, messageId: of.messageId, without: true, sessionId };
  expect(await heads.forkSession(scene.db, { ...fork, versionId: undefined })).toBe("forked");
  const messageId = await scene.send(sessionId);
  await recordings.markReplay(scene.db, { sessionId, messageId, of: of.messageId, asksModels });
  return sessionId;
}

async function headOf(sessionId: string): Promise<string | null | undefined> {
  const { rows } = await sql<{ head: string | null }>`select head_snapshot_id as head from sessions
    where id = ${sessionId}`.execute(scene.db.kysely);
  return rows[0]?.head;
}

test("a replay starts with the files from before its message, the answers of it, and one attempt", async () => {
  const first = await running();
  const head = await complete(first.turn, 10);
  const second = await running(first.turn.sessionId);
  await complete(second.turn, 20);
  const forkOfSecond = await replay(second.turn, false);
  expect(await headOf(forkOfSecond)).toBe(head);

  const turn = await scene.claim(forkOfSecond);
  const { recordedAnswers: own, replay: details, maxAttempts } = turn.details!;
  expect([own, maxAttempts]).toEqual([[], 1]);
  expect(details).toMatchObject({ of: second.turn.messageId, asksModels: false });
  expect(details!.answers.toSorted((a, b) => (a.digest < b.digest ? -1 : 1))).toEqual(second.answers);
  const { rows } = await sql`select metadata from sessions where id = ${forkOfSecond}
    union all select data -> 'metadata' from events where session_id = ${forkOfSecond} and sequence_number = 1`.execute(
    scene.db.kysely,
  );
  expect(rows).toEqual(Array.from({ length: 2 }, () => ({ metadata: { replay_of: second.turn.messageId } })));

  // What a replay records itself is not kept, and does not replace the recording.
  await turns.markCalledIfHeld(scene.db, turn);
  expect(await recordedAnswers.recordAnswerIfHeld(scene.db, turn, answer(9), max)).toBe("stored");
  await complete(turn);
  expect([await countAnswers(turn), await countAnswers(second.turn)]).toEqual([0, 2]);
  const forkOfFirst = await replay(first.turn);
  expect(await headOf(forkOfFirst)).toBeNull();
  const plain = await scene.claim(forkOfFirst);
  await expire(first.turn);
  await retention.expireRecordings(scene.db, 10);
  expect(plain.details?.replay?.answers).toHaveLength(2);
  await turns.finishIfHeld(scene.db, plain, { ending: "released" });
  expect((await scene.claim(forkOfFirst)).details?.replay).toMatchObject({ asksModels: true, answers: [] });
});

test("requests are counted: those of the last attempt that were answered, and all that were paid", async () => {
  const { turn } = await running();
  const none = { input: null, cachedInput: null, cacheWrite: null, output: null, reasoning: null };
  const request = {
    ...{ requests: 1, host: "api.openai.com", format: "openai-chat" as const, model: "m", status: 200, ...none },
    ...{ finishReason: "stop", durationMs: 1, isComplete: true, unread: null, isRecorded: true },
  };
  const rows = [
    { ...request, ordinal: 1 },
    { ...request, ordinal: 2, isRecorded: false },
    { ...request, ordinal: 3, isRecorded: false, status: 429 },
    // It was not sent.
    { ...request, ordinal: 4, isRecorded: false, status: null },
  ];
  await modelRequests.recordModelRequestsIfHeld(scene.db, turn, rows);
  const of = { organizationId: scene.organizationId, messageId: turn.messageId };
  expect(await recordings.countRequests(scene.db, of)).toEqual({
    ...{ answered: 2, recorded: 1, live: 2, firstLive: 2, cost: null },
  });
  expect(await recordings.countRequests(scene.db, { ...of, organizationId: "org_other" })).toEqual({
    ...{ answered: 0, recorded: 0, live: 0, firstLive: null, cost: 0 },
  });
  await complete(turn);
});
