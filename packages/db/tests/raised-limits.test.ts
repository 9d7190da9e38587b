// Messages that ask for a higher limit: what an answer changes, and what the turn's next attempt starts from.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { sql } from "kysely";
import {
  findViolations,
  heads,
  messageInputs,
  messages,
  steering,
  turns,
  type AnsweredInput,
  type ClaimedTurn,
  type FinishInput,
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

const schema = {
  type: "object",
  properties: {
    approved: { type: "boolean" },
    requests: { type: "integer", minimum: 4, default: 6 },
    tokens: { type: "integer", minimum: 100, default: 100 },
    reason: { type: "string" },
  },
  required: ["approved"],
};
const budget = { limit: "requests", value: 3, used: 3, requested: 1, needed: 4 } as const;
const failure = { code: "budget_exceeded", message: "limit reached" } as const;

function limited(snapshot = true): FinishInput {
  const asked = { key: "", schema, prompt: "more?", waitSeconds: 600, placed: [], budget };
  return { ending: "suspended", asked, failure, ...(snapshot ? { snapshot: emptySnapshot(null) } : {}) };
}

async function begin(session: string): Promise<ClaimedTurn> {
  const turn = await scene.claim(session);
  await turns.markCalledIfHeld(scene.db, turn);
  return turn;
}

/** Creates a message that has reached its limit. */
async function waiting(snapshot?: boolean) {
  const session = await scene.session();
  const { messageId } = await scene.accept(session, { limits: { requests: 3, tokens: 100 } });
  const finished = await turns.finishIfHeld(scene.db, await begin(session), limited(snapshot));
  expect(finished).toMatchObject({ recorded: "suspended" });
  return { session, messageId };
}

function answer(messageId: string, value: unknown, key = "dari:budget-1"): Promise<AnsweredInput> {
  const { organizationId } = scene;
  return messageInputs.answerIfWaiting(scene.db, { organizationId, messageId, key, value, dispatchTtlMs: undefined });
}

const recordOf = (messageId: string) => messages.findMessage(scene.db, scene.organizationId, messageId);

async function complete(turn: ClaimedTurn): Promise<void> {
  const output = { parts: [] };
  const done = await turns.finishIfHeld(scene.db, turn, {
    ending: "completed",
    output,
    snapshot: emptySnapshot(null),
  });
  expect(done?.recorded).toBe("completed");
}

test("the message waits, its attempt does not count, and the record and the event say what was reached", async () => {
  const { session, messageId } = await waiting();
  expect(await scene.row(session)).toMatchObject({ schedule: "blocked", pending: 1 });
  expect(await scene.message(messageId)).toMatchObject({ state: "waiting_for_input", attempts: 0, output: null });
  const record = await recordOf(messageId);
  expect(record?.inputs).toMatchObject([{ key: "dari:budget-1", state: "waiting", schema, prompt: "more?", budget }]);
  expect(record?.limits).toEqual({ requests: 3, tokens: 100 });
  const { rows } = await sql<{ type: string; data: object }>`select type, data from events
    where session_id = ${session} and type in ('input.requested', 'attempt.ended') order by sequence_number`.execute(
    scene.db.kysely,
  );
  expect(rows).toMatchObject([
    { type: "input.requested", data: { key: "dari:budget-1", type: "budget", budget } },
    { type: "attempt.ended", data: { outcome: "released", error: failure } },
  ]);
});

test("an approval raises to the default, and the turn starts again where it started", async () => {
  const { session, messageId } = await waiting();
  expect(await answer(messageId, { approved: true })).toMatchObject({ outcome: "answered", schedule: "ready" });
  expect((await recordOf(messageId))?.limits).toEqual({ requests: 6, tokens: 100 });
  const turn = await begin(session);
  expect(turn.details).toMatchObject({ limits: { requests: 6, tokens: 100 }, resume: undefined });
  expect(turn.attemptNumber).toBe(1);
  await complete(turn);
  expect((await recordOf(messageId))?.inputs).toMatchObject([{ state: "answered" }]);
});

test("an approval raises each limit that it names, and a later one raises again", async () => {
  const { session, messageId } = await waiting(false);
  await answer(messageId, { approved: true, requests: 4, tokens: 200, reason: "it is worth it" });
  const again = await begin(session);
  expect(again.details?.limits).toEqual({ requests: 4, tokens: 200 });
  await turns.finishIfHeld(scene.db, again, limited());
  // This schema offers fewer tokens than the first answer has given.
  expect((await answer(messageId, { approved: true, requests: 9 })).outcome).toBe("answered_before");
  expect(await answer(messageId, { approved: true, requests: 9 }, "dari:budget-2")).toMatchObject({
    outcome: "answered",
  });
  const last = await begin(session);
  expect(last.details?.limits).toEqual({ requests: 9, tokens: 200 });
  await complete(last);
});

test("limits of the manifest are replaced, and a retry has those that its message was sent with", async () => {
  const manifest = JSON.stringify({ limits: { requests: 2 } });
  await sql`update versions set manifest = manifest || ${manifest}::jsonb`.execute(scene.db.kysely);
  const { session, messageId } = await waiting();
  await answer(messageId, { approved: true });
  const turn = await begin(session);
  expect(turn.details?.limits).toEqual({ requests: 6, tokens: 100 });
  await turns.finishIfHeld(scene.db, turn, { ending: "failed", failure });
  await scene.accept(session, { retryOf: messageId });
  const retried = await begin(session);
  expect(retried.details?.limits).toEqual({ requests: 2, tokens: 100 });
  await complete(retried);
  await sql`update versions set manifest = manifest - 'limits'`.execute(scene.db.kysely);
});

test("a refusal fails the message as at the limit, and the next one continues", async () => {
  const { session, messageId } = await waiting();
  const next = await scene.send(session);
  expect(await answer(messageId, { approved: false, reason: "no" })).toMatchObject({
    outcome: "answered",
    schedule: "ready",
  });
  expect(await scene.message(messageId)).toMatchObject({ state: "failed", output: { parts: [], error: failure } });
  expect((await scene.eventTypes(session)).slice(-3)).toEqual([
    "input.submitted",
    "message.status_changed",
    "message.failed",
  ]);
  expect((await answer(messageId, { approved: true })).outcome).toBe("answered_before");
  const turn = await begin(session);
  expect(turn.messageId).toBe(next);
  await complete(turn);
  const alone = await waiting();
  expect(await answer(alone.messageId, { approved: false })).toMatchObject({ schedule: "idle" });
  expect(await scene.row(alone.session)).toMatchObject({ schedule: "idle", pending: 0 });
});

test("of an approval and a refusal in the same moment, one wins as a whole", async () => {
  const { session, messageId } = await waiting();
  const values = Array.from({ length: 8 }, (_, at) => ({ approved: at % 2 === 0 }));
  const outcomes = (await Promise.all(values.map((value) => answer(messageId, value)))).map(({ outcome }) => outcome);
  expect(outcomes.toSorted()).toEqual(["answered", ...Array<string>(7).fill("answered_before")]);
  const isApproved = values[outcomes.indexOf("answered")]!.approved;
  const limits = { requests: isApproved ? 6 : 3, tokens: 100 };
  expect(await recordOf(messageId)).toMatchObject({ state: isApproved ? "queued" : "failed", limits });
  expect(await scene.row(session)).toMatchObject({ schedule: isApproved ? "ready" : "idle" });
  if (isApproved) await complete(await begin(session));
});

describe("without an answer", () => {
  test("a cancel ends the message, and an answer comes too late", async () => {
    const { messageId } = await waiting();
    await turns.cancelMessageOf(scene.db, scene.organizationId, messageId);
    expect((await answer(messageId, { approved: true })).outcome).toBe("over");
    expect(await scene.message(messageId)).toMatchObject({ state: "cancelled" });
  });

  test("a cancel that was requested while it ran wins", async () => {
    const session = await scene.session();
    const messageId = await scene.send(session);
    const turn = await begin(session);
    await turns.cancelMessageOf(scene.db, scene.organizationId, messageId);
    expect(await turns.finishIfHeld(scene.db, turn, limited())).toMatchObject({ recorded: "cancelled" });
    expect((await recordOf(messageId))?.inputs).toBeNull();
  });

  test("the input expires", async () => {
    const { messageId } = await waiting();
    await sql`update message_inputs set expires_at = clock_timestamp() - interval '1 second'
      where message_id = ${messageId}`.execute(scene.db.kysely);
    await messageInputs.expireOverdue(scene.db, 10);
    const error = { code: "input_expired", message: 'input "dari:budget-1" expired before it was answered' };
    expect(await scene.message(messageId)).toMatchObject({ state: "failed", output: { error } });
  });
});

test("a superseded claim cannot ask, and a repeated call asks once", async () => {
  const session = await scene.session();
  const messageId = await scene.send(session);
  const turn = await begin(session);
  const end = limited();
  expect(await turns.finishIfHeld(scene.db, { ...turn, fence: turn.fence + 1 }, end)).toBeUndefined();
  expect(await turns.finishIfHeld(scene.db, turn, end)).toMatchObject({ recorded: "suspended", again: false });
  expect(await turns.finishIfHeld(scene.db, turn, end)).toMatchObject({ recorded: "suspended", again: true });
  expect((await recordOf(messageId))?.inputs).toHaveLength(1);
});

test("an agent's answers and files stay those of its last question", async () => {
  const session = await scene.session();
  const messageId = await scene.send(session);
  const question = { key: "approve", schema: {}, prompt: undefined, waitSeconds: 600, placed: [] };
  const snapshot = emptySnapshot(null);
  await turns.finishIfHeld(scene.db, await begin(session), { ending: "suspended", asked: question, snapshot });
  await answer(messageId, 1, "approve");
  await turns.finishIfHeld(scene.db, await begin(session), limited());
  await answer(messageId, { approved: true });
  const turn = await begin(session);
  expect(turn.details?.resume).toEqual({ snapshotId: snapshot.id, placed: [], answers: { approve: 1 } });
  await complete(turn);
  expect((await recordOf(messageId))?.inputs?.map(({ key }) => key)).toEqual(["approve", "dari:budget-1"]);
});

test("the messages that the attempt has taken are taken again", async () => {
  const session = await scene.session();
  const messageId = await scene.send(session);
  const turn = await begin(session);
  await scene.accept(session, { text: "faster", onBusy: "steer" });
  expect(await steering.takeSteeringIfHeld(scene.db, turn, 0)).toHaveLength(1);
  await turns.finishIfHeld(scene.db, turn, limited());
  expect(await scene.row(session)).toMatchObject({ schedule: "blocked", pending: 2 });
  await answer(messageId, { approved: true });
  const again = await begin(session);
  expect(again.details).toMatchObject({ takenBefore: [], steeringWaits: true });
  expect(await steering.takeSteeringIfHeld(scene.db, again, 0)).toHaveLength(1);
  await complete(again);
  expect(await scene.row(session)).toMatchObject({ schedule: "idle", pending: 0 });
});

test("clients cannot write to the workspace before the message has ended", async () => {
  const { session, messageId } = await waiting();
  const { organizationId } = scene;
  const snapshot = emptySnapshot(null);
  const write = { organizationId, sessionId: session, snapshot, filesChanged: [], whileIdle: false };
  expect(await heads.writeHeadIfAtParent(scene.db, write)).toBe("busy");
  await answer(messageId, { approved: true });
  expect(await heads.writeHeadIfAtParent(scene.db, write)).toBe("busy");
  await answer(messageId, { approved: false });
  await complete(await begin(session));
});
