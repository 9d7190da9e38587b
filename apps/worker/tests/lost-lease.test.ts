// A worker that notices first that its lease has expired: the turn ends as the reaper would end it. And one that never
// got the reply to its claim.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { findViolations } from "@dari/control/operations";
import { claimTurn, countAttempt, finishTurn, pullTurn } from "@dari/control/turns";
import { openDatabase, turns, type ClaimedTurn, type Database } from "@dari/db";
import { newId, type Notifier } from "@dari/domain";
import { createLogger } from "@dari/runtime";
import { createTestAgent, createTestDatabase, createTestMessage, createTestOrganization } from "@dari/testkit";
import { createTestSession, endsPostgresReply, startFaultProxy, waitUntil } from "@dari/testkit";
import type { FaultProxy, TestDatabase } from "@dari/testkit";
import { toFailureEnding, toStopEnding } from "../src/turn/failures/choose-ending.ts";
import type { StopReason } from "../src/turn/lease-keeper.ts";

let database: TestDatabase;
let place: { organizationId: string; agentId: string };
const log = createLogger({ name: "lost-lease", level: "silent" });
const notifier: Notifier = {
  notify: () => undefined,
  subscribe: () => () => undefined,
  close: () => Promise.resolve(),
};
const settings = { backoffFirstMs: 1 };

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

/** A turn whose entrypoint was called. */
async function called(maxAttempts: number): Promise<ClaimedTurn> {
  const sessionId = await createTestSession(database.db, place.organizationId, place.agentId);
  const messageId = await createTestMessage(database.db, place.organizationId, sessionId);
  await database.db.pool.query("update messages set max_attempts = $2 where id = $1", [messageId, maxAttempts]);
  const claimant = { workerId: newId("worker"), leaseMs: 600_000, guarantees: {} };
  const claim = await claimTurn(database.db, { sessionId, dispatchNumber: 1 }, claimant);
  if (claim.outcome !== "claimed") throw new Error(claim.outcome);
  await countAttempt(database.db, claim.turn);
  return claim.turn;
}

/** The next attempt of a turn that waits for its retry. Its entrypoint was called. */
async function calledAgain({ sessionId }: ClaimedTurn): Promise<ClaimedTurn> {
  await database.db.pool.query("update sessions set ready_at = clock_timestamp() where id = $1", [sessionId]);
  const job = { sessionId, dispatchNumber: 1 };
  const claimant = { workerId: newId("worker"), leaseMs: 600_000, guarantees: {} };
  const claim = await turns.claimDueRetry(database.db, job, newId("attempt"), claimant, "take");
  if (claim.outcome !== "claimed") throw new Error(claim.outcome);
  await countAttempt(database.db, claim.turn);
  return claim.turn;
}

/** Ends the turn like a worker whose turn was stopped for `reason`. Returns what was recorded, and the message. */
async function stop(turn: ClaimedTurn, reason: StopReason): Promise<object> {
  const input = toStopEnding({ settings }, turn, { signal: AbortSignal.abort(reason) });
  if (input === undefined) throw new Error("the turn continues");
  const result = await finishTurn({ db: database.db, notifier, log }, turn, turn.organizationId, input);
  const { rows } = await database.db.pool.query<object>(
    `select state, attempts, output -> 'error' ->> 'code' as code from messages where id = $1`,
    [turn.messageId],
  );
  return { recorded: result?.recorded, ...rows[0] };
}

test("it uses the attempt and adds one; the last one fails with worker_lost", async () => {
  const turn = await called(1);
  expect(await stop(turn, "lost")).toEqual({ recorded: "retry", state: "queued", attempts: 1, code: null });
  const last = await stop(await calledAgain(turn), "lost");
  expect(last).toEqual({ recorded: "failed", state: "failed", attempts: 2, code: "worker_lost" });
});

test("a released turn uses no attempt, and a cancelled one has ended", async () => {
  const released = await stop(await called(1), "released");
  expect(released).toEqual({ recorded: "released", state: "queued", attempts: 0, code: null });
  const cancelled = await stop(await called(1), "cancelled");
  expect(cancelled).toEqual({ recorded: "cancelled", state: "cancelled", attempts: 1, code: "cancelled" });
});

test("a turn that was not stopped has no such ending; one that cannot be retried has no second attempt", async () => {
  const turn = await called(3);
  const lease = { signal: new AbortController().signal, onSteering: () => () => undefined, release: () => undefined };
  expect(toStopEnding({ settings }, turn, lease)).toBeUndefined();
  const timeout = { code: "timeout", message: "too slow" } as const;
  expect(toFailureEnding({ settings }, turn, timeout)).toEqual({ ending: "failed", failure: timeout });
});

describe("a claim that is committed while its answer is lost", () => {
  const claimant = { workerId: newId("worker"), leaseMs: 600_000, guarantees: {} };
  const waiting = { log, signal: new AbortController().signal };
  const claims: [string, string, (db: Database, sessionId: string) => Promise<ClaimedTurn | undefined>][] = [
    ["by a job", "claim_turn", claimByJob],
    ["by a pull", "claim_next_turn", (db) => pullTurn(db, claimant, waiting)],
  ];

  async function claimByJob(db: Database, sessionId: string): Promise<ClaimedTurn | undefined> {
    const claim = await claimTurn(db, { sessionId, dispatchNumber: 1 }, claimant, waiting);
    return claim.outcome === "claimed" ? claim.turn : undefined;
  }

  async function openThroughProxy(stack: AsyncDisposableStack): Promise<{ proxy: FaultProxy; db: Database }> {
    const url = new URL(database.url);
    const proxy = stack.use(await startFaultProxy({ port: Number(url.port) }));
    url.port = String(proxy.port);
    const options = { url: url.toString(), poolMax: 2, applicationName: "dari-test" };
    return { proxy, db: stack.adopt(openDatabase(options), (opened) => opened.close()) };
  }

  test.each(claims)("%s is answered again, and its attempt continues", async (_how, request, claim) => {
    await using stack = new AsyncDisposableStack();
    const { proxy, db } = await openThroughProxy(stack);
    const sessionId = await createTestSession(database.db, place.organizationId, place.agentId);
    const messageId = await createTestMessage(database.db, place.organizationId, sessionId);
    const broken = proxy.dropReply({ request, endsReply: endsPostgresReply, then: "cut" });
    const turn = await claim(db, sessionId);
    await broken;
    expect(turn).toMatchObject({ sessionId, messageId, attemptNumber: 1, uncountedClaims: 0 });
    expect(turn?.details?.agentId).toBe(place.agentId);
    if (turn === undefined) throw new Error("nothing was claimed");
    expect(await countAttempt(database.db, turn)).toBe(true);
    // A turn that was called is not claimed again.
    expect(await turns.findHeldClaim(database.db, turn.attemptId, claimant)).toBeUndefined();
    expect(await stop(turn, "released")).toMatchObject({ recorded: "released", attempts: 0 });
  });

  test("by a job is waited for while it still runs at the server", async () => {
    await using stack = new AsyncDisposableStack();
    const { proxy, db } = await openThroughProxy(stack);
    const sessionId = await createTestSession(database.db, place.organizationId, place.agentId);
    await createTestMessage(database.db, place.organizationId, sessionId);
    const holder = await database.db.pool.connect();
    await holder.query("begin");
    await holder.query("select 1 from sessions where id = $1 for no key update", [sessionId]);
    const untilWaiting = (count: number): Promise<boolean> =>
      waitUntil(
        async () => {
          const waiting = `select distinct l.pid from pg_locks l join pg_stat_activity a on a.pid = l.pid
            where not l.granted and a.datname = current_database()`;
          return (await database.db.pool.query(waiting)).rows.length >= count;
        },
        { what: `${count} statements to wait for the session` },
      );
    const claiming = claimByJob(db, sessionId);
    await untilWaiting(1);
    proxy.cut();
    await untilWaiting(2);
    await holder.query("commit");
    holder.release();
    const turn = await claiming;
    expect(turn).toMatchObject({ sessionId, attemptNumber: 1 });
    if (turn !== undefined) await stop(turn, "released");
  });

  test("is only for its own worker, and only while it has the claim", async () => {
    const sessionId = await createTestSession(database.db, place.organizationId, place.agentId);
    await createTestMessage(database.db, place.organizationId, sessionId);
    const turn = await claimByJob(database.db, sessionId);
    if (turn === undefined) throw new Error("nothing was claimed");
    const another = { ...claimant, workerId: newId("worker") };
    expect(await turns.findHeldClaim(database.db, turn.attemptId, another)).toBeUndefined();
    expect(await turns.findHeldClaim(database.db, newId("attempt"), claimant)).toBeUndefined();
    expect(await turns.findHeldClaim(database.db, turn.attemptId, claimant)).toMatchObject({ token: turn.token });
    await stop(turn, "released");
    expect(await turns.findHeldClaim(database.db, turn.attemptId, claimant)).toBeUndefined();
  });
});
