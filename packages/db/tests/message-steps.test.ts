// Recorded steps: written under the claim, given to the next attempt of their message, deleted with its end.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newId } from "@dari/domain";
import { sql } from "kysely";
import {
  dispatch,
  findViolations,
  heads,
  messageInputs,
  messageSteps,
  sessions,
  turns,
  type ClaimedTurn,
  type FinishInput,
  type RecordedStep,
} from "../src/index.ts";
import { emptySnapshot, openScene, type Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene({ maxAttempts: 3 });
});
afterAll(async () => {
  expect(await findViolations(scene.db)).toEqual([]);
  await scene.close();
});

const charge: RecordedStep = { name: "charge", ordinal: 1, json: '{"b":1,"a":12345678901234567890, "c":"\\u0000"}' };
const mail: RecordedStep = { name: "mail", ordinal: 2 ** 40, json: '"é"' };
const agentError = { code: "agent_error", message: "it threw" } as const;
const asked = { key: "approve", schema: {}, prompt: undefined, waitSeconds: 60, placed: [] };

interface Running {
  readonly session: string;
  readonly turn: ClaimedTurn;
}

/** A called turn with one recorded step. */
async function running(leaseMs?: number): Promise<Running> {
  const session = await scene.session();
  await scene.send(session);
  const turn = await scene.claim(session, leaseMs);
  await turns.markCalledIfHeld(scene.db, turn);
  expect(await messageSteps.recordStepIfHeld(scene.db, turn, charge)).toBe(true);
  return { session, turn };
}

async function finish(turn: ClaimedTurn, input: FinishInput): Promise<string | undefined> {
  const result = await turns.finishIfHeld(scene.db, turn, {
    // One that asks for an input of its agent has no failure.
    ...(input.ending === "suspended" ? {} : { failure: agentError }),
    ...input,
  });
  await dispatch.makeDueRetriesReady(scene.db, 10);
  return result?.recorded;
}

const suspended = (): FinishInput => ({ ending: "suspended", asked, snapshot: emptySnapshot(null) });

async function waiting(): Promise<Running> {
  const { session, turn } = await running();
  expect(await finish(turn, suspended())).toBe("suspended");
  return { session, turn };
}

async function answer({ messageId }: ClaimedTurn): Promise<void> {
  const { organizationId } = scene;
  const given = { organizationId, messageId, key: "approve", value: true, dispatchTtlMs: undefined };
  expect((await messageInputs.answerIfWaiting(scene.db, given)).outcome).toBe("answered");
}

const reap = () => dispatch.reapExpired(scene.db, { limit: 100, graceMs: 0, overdueMs: 0, uncountedClaimsMax: 2 });

async function countSteps({ messageId }: ClaimedTurn): Promise<number> {
  const { rows } = await sql<{ n: number }>`select count(*)::int as n from message_steps
    where message_id = ${messageId}`.execute(scene.db.kysely);
  return rows[0]?.n ?? -1;
}

const completed = (): FinishInput => ({
  ending: "completed",
  failure: undefined,
  output: { parts: [] },
  snapshot: emptySnapshot(null),
});

test("a first attempt has none, and a repeated call changes nothing", async () => {
  const { turn } = await running();
  expect(turn.details?.steps).toEqual([]);
  const other = { ...charge, json: '"another"' };
  const calls = [charge, other, charge].map((step) => messageSteps.recordStepIfHeld(scene.db, turn, step));
  expect(await Promise.all(calls)).toEqual([true, true, true]);
  expect(await countSteps(turn)).toBe(1);
  await finish(turn, { ending: "retry", waitMs: 0 });
  expect((await scene.claim(turn.sessionId)).details?.steps).toEqual([charge]);
});

test.each([
  ["retry", async (turn: ClaimedTurn) => finish(turn, { ending: "retry", waitMs: 0 })],
  ["released", async (turn: ClaimedTurn) => finish(turn, { ending: "released" })],
  [
    "suspended",
    async (turn: ClaimedTurn) => {
      const recorded = await finish(turn, suspended());
      await answer(turn);
      return recorded;
    },
  ],
] as const)("the attempt after one that ended as %s gets them, unchanged", async (ending, end) => {
  const { session, turn } = await running();
  await messageSteps.recordStepIfHeld(scene.db, turn, mail);
  expect(await end(turn)).toBe(ending);
  const next = await scene.claim(session);
  expect(next.details?.steps.toSorted((a, b) => a.ordinal - b.ordinal)).toEqual([charge, mail]);
  expect(await finish(next, completed())).toBe("completed");
  expect(await countSteps(turn)).toBe(0);
  await scene.send(session);
  expect((await scene.claim(session)).details?.steps).toEqual([]);
});

test("the attempt after a lost one gets them, and the lost one records nothing more", async () => {
  const { session, turn } = await running(0);
  expect(await reap()).toMatchObject([{ sessionId: session, recorded: "lost" }]);
  expect(await messageSteps.recordStepIfHeld(scene.db, turn, mail)).toBe(false);
  const next = await scene.claim(session);
  expect(next.details?.steps).toEqual([charge]);
  expect(await messageSteps.recordStepIfHeld(scene.db, turn, mail)).toBe(false);
  expect(await messageSteps.recordStepIfHeld(scene.db, { ...next, token: turn.token }, mail)).toBe(false);
  expect(await finish(next, { ending: "failed" })).toBe("failed");
  expect(await messageSteps.recordStepIfHeld(scene.db, next, mail)).toBe(false);
  expect(await countSteps(turn)).toBe(0);
});

test("usage that came with a step counts if the worker is lost, and otherwise the last words do", async () => {
  const usageOf = async ({ attemptId }: ClaimedTurn) =>
    (await scene.db.pool.query("select usage, tokens from attempts where id = $1", [attemptId])).rows;
  const usage = { input_tokens: 7 };
  const lost = await running(0);
  await messageSteps.recordStepIfHeld(scene.db, lost.turn, mail, usage);
  await messageSteps.recordStepIfHeld(scene.db, lost.turn, { ...mail, name: "later" });
  await reap();
  expect(await usageOf(lost.turn)).toEqual([{ usage, tokens: 7 }]);
  const told = await running();
  await messageSteps.recordStepIfHeld(scene.db, told.turn, mail, usage);
  await finish(told.turn, { ...completed(), output: { parts: [], usage: { input_tokens: 9 } } });
  expect(await usageOf(told.turn)).toEqual([{ usage: { input_tokens: 9 }, tokens: 9 }]);
});

test.each<[string, () => Promise<Running>, (running: Running) => Promise<unknown>]>([
  [
    "a cancel while it runs",
    running,
    async ({ turn }) => {
      await turns.cancelMessageOf(scene.db, scene.organizationId, turn.messageId);
      return finish(turn, { ending: "retry" });
    },
  ],
  [
    "a cancel while it waits, by its organization",
    waiting,
    ({ turn }) => {
      const { organizationId } = scene;
      return turns.cancelMessageOf(scene.db.forOrganization(organizationId), organizationId, turn.messageId);
    },
  ],
  ["a message that interrupts", waiting, ({ session }) => scene.accept(session, { onBusy: "interrupt" })],
  ["a message that rolls back", waiting, ({ session }) => scene.accept(session, { onBusy: "rollback" })],
  [
    "an input that expires",
    waiting,
    async ({ turn }) => {
      await sql`update message_inputs set expires_at = clock_timestamp() - interval '1 second'
        where message_id = ${turn.messageId}`.execute(scene.db.kysely);
      return messageInputs.expireOverdue(scene.db, 10);
    },
  ],
  [
    "the end of its session",
    waiting,
    ({ session }) =>
      sessions.completeSessionIfOpen(scene.db, {
        organizationId: scene.organizationId,
        sessionId: session,
        cancel: true,
      }),
  ],
  [
    "a lost worker without an attempt left",
    () => running(0),
    async ({ turn }) => {
      await sql`update messages set max_attempts = 1 where id = ${turn.messageId}`.execute(scene.db.kysely);
      return reap();
    },
  ],
])("%s deletes them with the message's end", async (_name, prepare, end) => {
  const place = await prepare();
  expect(await countSteps(place.turn)).toBe(1);
  await end(place);
  const { rows } = await sql<{ ended: boolean }>`select completed_at is not null as ended from messages
    where id = ${place.turn.messageId}`.execute(scene.db.kysely);
  expect([rows, await countSteps(place.turn)]).toEqual([[{ ended: true }], 0]);
});

test("a fork has none, and a message that repeats a failed one begins without", async () => {
  const { session, turn } = await running();
  expect(await finish(turn, completed())).toBe("completed");
  const fork = newId("session");
  const forked = { organizationId: scene.organizationId, sourceId: session, messageId: undefined, without: false };
  expect(await heads.forkSession(scene.db, { ...forked, sessionId: fork, versionId: undefined })).toBe("forked");
  await scene.send(fork);
  expect((await scene.claim(fork)).details?.steps).toEqual([]);

  const failed = await running();
  await finish(failed.turn, { ending: "failed" });
  await scene.accept(failed.session, { retryOf: failed.turn.messageId });
  expect((await scene.claim(failed.session)).details?.steps).toEqual([]);
});

test("they are gone with a session that is purged", async () => {
  const { session, turn } = await running();
  await scene.db.pool.query("delete from sessions where id = $1", [session]);
  expect(await countSteps(turn)).toBe(0);
});
