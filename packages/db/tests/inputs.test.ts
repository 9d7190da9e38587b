// Inputs of messages: every step as rows, and the result of concurrent steps.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { newId } from "@dari/domain";
import { sql } from "kysely";
import {
  dispatch,
  findViolations,
  heads,
  messageInputs,
  messages,
  sessions,
  turnJobs,
  turns,
  type AnsweredInput,
  type ClaimedTurn,
  type FinishResult,
} from "../src/index.ts";
import { emptySnapshot, openScene, type Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene({ maxAttempts: 2 });
});
afterAll(async () => {
  expect(await findViolations(scene.db)).toEqual([]);
  await scene.close();
});

const schema = { type: "boolean" };
const placed = [{ path: "workspace/input/a", sizeBytes: 1, sha256: "0".repeat(64) }];

interface Suspended {
  readonly session: string;
  readonly messageId: string;
  readonly snapshotId: string;
}

async function suspend(
  turn: ClaimedTurn,
  key: string,
  waitSeconds = 60,
): Promise<FinishResult & { snapshotId: string }> {
  await turns.markCalledIfHeld(scene.db, turn);
  const snapshot = emptySnapshot(null);
  const asked = { key, schema, prompt: "may I?", waitSeconds, placed };
  const finished = await turns.finishIfHeld(scene.db, turn, { ending: "suspended", asked, snapshot });
  if (finished === undefined) throw new Error("the claim is lost");
  return { ...finished, snapshotId: snapshot.id };
}

/** Creates a message that waits for `approve`. */
async function waiting(waitSeconds?: number): Promise<Suspended> {
  const session = await scene.session();
  const messageId = await scene.send(session);
  const { snapshotId } = await suspend(await scene.claim(session), "approve", waitSeconds);
  return { session, messageId, snapshotId };
}

function answer(messageId: string, value: unknown = true, dispatchTtlMs?: number): Promise<AnsweredInput> {
  const { organizationId } = scene;
  return messageInputs.answerIfWaiting(scene.db, { organizationId, messageId, key: "approve", value, dispatchTtlMs });
}

async function stateOf(messageId: string): Promise<string | undefined> {
  return (await messageInputs.findInput(scene.db, scene.organizationId, messageId, "approve"))?.state;
}

test("a suspended turn holds no slot, does not count as an attempt, and says what it waits for", async () => {
  const { session, messageId } = await waiting();
  expect(await scene.row(session)).toMatchObject({ schedule: "blocked", pending: 1 });
  expect(await scene.message(messageId)).toMatchObject({ state: "waiting_for_input", attempts: 0, output: null });
  const record = await messages.findMessage(scene.db, scene.organizationId, messageId);
  expect(record?.inputs).toMatchObject([{ key: "approve", state: "waiting", schema, prompt: "may I?", endedAt: null }]);
  expect((await scene.eventTypes(session)).slice(-3)).toEqual([
    "input.requested",
    "attempt.ended",
    "message.status_changed",
  ]);
  const held = await sql<{ worker: string | null; token: string | null; lease: Date | null }>`
    select worker_id as worker, claim_token as token, lease_until as lease from sessions where id = ${session}`.execute(
    scene.db.kysely,
  );
  expect(held.rows).toEqual([{ worker: null, token: null, lease: null }]);
});

test("an answer makes the session ready at the place of its acceptance, and is part of the next claim", async () => {
  const { session, messageId, snapshotId } = await waiting();
  expect(await answer(messageId, { yes: [1] })).toMatchObject({
    outcome: "answered",
    schedule: "ready",
    attemptsLeft: 2,
  });
  expect(await scene.message(messageId)).toMatchObject({ state: "queued" });
  const { details, attemptNumber } = await claimWithDetails(session);
  expect(attemptNumber).toBe(1);
  expect(details?.resume).toEqual({ snapshotId, placed, answers: { approve: { yes: [1] } } });
});

async function claimWithDetails(session: string): Promise<ClaimedTurn> {
  const turn = await scene.claim(session);
  await turns.markCalledIfHeld(scene.db, turn);
  await turns.finishIfHeld(scene.db, turn, {
    ending: "completed",
    output: { parts: [] },
    snapshot: emptySnapshot(null),
  });
  return turn;
}

test("an answer can dispatch immediately, under the number that a job is delivered with", async () => {
  const { session, messageId } = await waiting();
  const answered = await answer(messageId, null, 5_000);
  expect(answered).toMatchObject({ outcome: "answered", schedule: "dispatched" });
  const claimed = await turns.claimIfDispatched(
    scene.db,
    { sessionId: session, dispatchNumber: answered.dispatchNumber },
    newId("attempt"),
    { workerId: "w", leaseMs: 60_000, guarantees: {} },
  );
  expect(claimed).toMatchObject({ outcome: "claimed", turn: { details: { resume: { answers: { approve: null } } } } });
});

test("several inputs, one after the other: the message continues at the newest side snapshot", async () => {
  const { session, messageId } = await waiting();
  await answer(messageId);
  const second = await suspend(await scene.claim(session), "deploy");
  const record = await messages.findMessage(scene.db, scene.organizationId, messageId);
  expect(record?.inputs?.map(({ key, state }) => [key, state])).toEqual([
    ["approve", "answered"],
    ["deploy", "waiting"],
  ]);
  const { organizationId } = scene;
  await messageInputs.answerIfWaiting(scene.db, {
    organizationId,
    messageId,
    key: "deploy",
    value: 2,
    dispatchTtlMs: undefined,
  });
  const { details } = await claimWithDetails(session);
  expect(details?.resume).toMatchObject({ snapshotId: second.snapshotId, answers: { approve: true, deploy: 2 } });
  expect(await scene.message(messageId)).toMatchObject({ state: "completed", attempts: 1 });
});

test("attempts that fail after an answer begin where it was suspended, and count", async () => {
  const { session, messageId, snapshotId } = await waiting();
  await answer(messageId);
  const failure = { code: "agent_error", message: "it threw" } as const;
  const turn = await scene.claim(session);
  await turns.markCalledIfHeld(scene.db, turn);
  await turns.finishIfHeld(scene.db, turn, { ending: "retry", failure });
  await dispatch.makeDueRetriesReady(scene.db, 10);
  const next = await scene.claim(session);
  expect([next.attemptNumber, next.details?.resume?.snapshotId]).toEqual([2, snapshotId]);
  await turns.markCalledIfHeld(scene.db, next);
  expect(await turns.finishIfHeld(scene.db, next, { ending: "retry", failure })).toMatchObject({ recorded: "failed" });
  expect(await scene.message(messageId)).toMatchObject({ state: "failed", attempts: 2 });
});

describe("an answer is refused", () => {
  test("when the input is answered already, also in the same moment", async () => {
    const { messageId } = await waiting();
    const outcomes = (await Promise.all(Array.from({ length: 8 }, () => answer(messageId)))).map((one) => one.outcome);
    expect(outcomes.filter((outcome) => outcome === "answered")).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === "answered_before")).toHaveLength(7);
  });

  test("by another organization, for another key, of a message that was cancelled", async () => {
    const { session, messageId } = await waiting();
    const foreign = { organizationId: newId("organization"), messageId, key: "approve", value: 1 };
    const elsewhere = await messageInputs.answerIfWaiting(scene.db, { ...foreign, dispatchTtlMs: undefined });
    expect(elsewhere.outcome).toBe("not_found");
    expect(await messageInputs.findInput(scene.db, foreign.organizationId, messageId, "approve")).toBeUndefined();
    const { organizationId } = scene;
    const other = { organizationId, messageId, key: "other", value: 1, dispatchTtlMs: undefined };
    expect((await messageInputs.answerIfWaiting(scene.db, other)).outcome).toBe("not_asked");
    expect((await turns.cancelMessageOf(scene.db, organizationId, messageId)).outcome).toBe("cancelled");
    expect((await answer(messageId)).outcome).toBe("over");
    expect(await stateOf(messageId)).toBe("cancelled");
    expect(await scene.row(session)).toMatchObject({ schedule: "idle", pending: 0 });
  });
});

describe("the end of a waiting message lets the next one continue", () => {
  test("a cancel", async () => {
    const { session, messageId } = await waiting();
    await scene.send(session);
    await turns.cancelMessageOf(scene.db, scene.organizationId, messageId);
    expect(await scene.row(session)).toMatchObject({ schedule: "ready", pending: 1 });
  });

  test.each(["interrupt", "rollback"] as const)("a message sent with %s", async (onBusy) => {
    const { session, messageId } = await waiting();
    const sent = await scene.accept(session, { onBusy });
    expect(sent).toMatchObject({ outcome: "accepted", ended: [messageId], schedule: "ready" });
    expect(await stateOf(messageId)).toBe("cancelled");
  });

  test("its expiry, which is its own failure code", async () => {
    const { session, messageId } = await waiting(1);
    await scene.send(session);
    await sql`update message_inputs set expires_at = clock_timestamp() - interval '1 second'
      where message_id = ${messageId}`.execute(scene.db.kysely);
    const expired = await messageInputs.expireOverdue(scene.db, 10);
    expect(expired).toEqual([{ sessionId: session, organizationId: scene.organizationId, messageId }]);
    expect(await scene.message(messageId)).toMatchObject({
      state: "failed",
      output: { error: { code: "input_expired", message: 'input "approve" expired before it was answered' } },
    });
    expect([await stateOf(messageId), (await answer(messageId)).outcome]).toEqual(["expired", "over"]);
    expect(await scene.row(session)).toMatchObject({ schedule: "ready", pending: 1 });
    expect(await messageInputs.expireOverdue(scene.db, 10)).toEqual([]);
  });

  test("its expiry, also after one that cannot be ended", async () => {
    const broken = await waiting();
    const { messageId } = await waiting();
    const move = (by: number) =>
      scene.db.pool.query("update dari.sessions set next_event_number = next_event_number + $2 where id = $1", [
        broken.session,
        by,
      ]);
    await sql`update message_inputs set expires_at = clock_timestamp() - interval '1 second'
      where message_id in (${broken.messageId}, ${messageId})`.execute(scene.db.kysely);
    await move(-1);
    expect((await messageInputs.expireOverdue(scene.db, 10)).map((one) => one.messageId)).toEqual([messageId]);
    await move(1);
    expect((await messageInputs.expireOverdue(scene.db, 10)).map((one) => one.messageId)).toEqual([broken.messageId]);
  });

  test("the end of its session", async () => {
    const { session, messageId } = await waiting();
    const end = { organizationId: scene.organizationId, sessionId: session, cancel: true };
    expect(await sessions.completeSessionIfOpen(scene.db, end)).toMatchObject({ outcome: "done" });
    expect(await stateOf(messageId)).toBe("cancelled");
  });
});

describe("a message that waits is busy", () => {
  test("another is refused with reject, waits with enqueue, and does not merge into it", async () => {
    const { session, messageId } = await waiting();
    expect((await scene.accept(session, { onBusy: "reject" })).outcome).toBe("busy");
    expect(await scene.accept(session)).toMatchObject({ outcome: "accepted", schedule: null });
    expect(await scene.accept(session, { onBusy: "merge" })).toMatchObject({ outcome: "accepted" });
    expect(await scene.row(session)).toMatchObject({ schedule: "blocked", pending: 2 });
    expect(await stateOf(messageId)).toBe("waiting");
  });

  test("its head stays, before the answer and after it", async () => {
    const { session, messageId } = await waiting();
    const write = {
      organizationId: scene.organizationId,
      sessionId: session,
      snapshot: emptySnapshot(null),
      filesChanged: [],
      whileIdle: false,
    };
    expect(await heads.writeHeadIfAtParent(scene.db, write)).toBe("busy");
    await answer(messageId);
    expect(await heads.writeHeadIfAtParent(scene.db, write)).toBe("busy");
  });

  test("nothing of it is dispatched, claimed or reaped", async () => {
    const { session } = await waiting();
    const all = { organizationId: scene.organizationId, count: 100 };
    const moved = await dispatch.dispatchIfReady(scene.db, [all], 5_000);
    expect(moved.map((one) => one.sessionId)).not.toContain(session);
    expect(await scene.row(session)).toMatchObject({ schedule: "blocked" });
    expect(await turnJobs.listJobsInUse(scene.db, [{ sessionId: session, dispatchNumber: 1 }])).toEqual([]);
  });
});

test("a cancel that was requested while it ran wins over its question", async () => {
  const session = await scene.session();
  const messageId = await scene.send(session);
  const turn = await scene.claim(session);
  await turns.cancelMessageOf(scene.db, scene.organizationId, messageId);
  expect(await suspend(turn, "approve")).toMatchObject({ recorded: "cancelled" });
  expect(await stateOf(messageId)).toBeUndefined();
});

test("a superseded claim cannot ask; a repeated call is answered again", async () => {
  const session = await scene.session();
  const messageId = await scene.send(session);
  const turn = await scene.claim(session);
  const asked = { key: "approve", schema, prompt: undefined, waitSeconds: 60, placed: [] };
  const input = { ending: "suspended", asked, snapshot: emptySnapshot(null) } as const;
  const stranger = { ...turn, fence: turn.fence + 1 };
  expect(await turns.finishIfHeld(scene.db, stranger, input)).toBeUndefined();
  expect(await turns.finishIfHeld(scene.db, turn, input)).toMatchObject({ recorded: "suspended", again: false });
  expect(await turns.finishIfHeld(scene.db, turn, input)).toMatchObject({ recorded: "suspended", again: true });
  expect(await stateOf(messageId)).toBe("waiting");
});
