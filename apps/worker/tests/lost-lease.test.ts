// A worker that finds its lease run out before anybody else does: the turn ends as the reaper would end it.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { claimTurn, countAttempt, findViolations, finishTurn, type ClaimedTurn } from "@dari/control";
import { newId, type Notifier } from "@dari/domain";
import { createLogger } from "@dari/runtime";
import { createTestAgent, createTestDatabase, createTestMessage, createTestOrganization } from "@dari/testkit";
import { createTestSession, type TestDatabase } from "@dari/testkit";
import { endingOfFailure, stopInput } from "../src/endings.ts";
import type { StopReason } from "../src/lease-keeper.ts";

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

/** Ends the turn as a worker does whose turn was stopped for `reason`; answers what was recorded, and the message. */
async function stop(turn: ClaimedTurn, reason: StopReason): Promise<object> {
  const input = stopInput({ settings }, turn, { signal: AbortSignal.abort(reason), release: () => undefined });
  if (input === undefined) throw new Error("the turn goes on");
  const result = await finishTurn({ db: database.db, notifier, log }, turn, turn.organizationId, input);
  const { rows } = await database.db.pool.query<object>(
    `select state, attempts, output -> 'error' ->> 'code' as code from messages where id = $1`,
    [turn.messageId],
  );
  return { recorded: result?.recorded, ...rows[0] };
}

test("it uses the attempt, and the last one fails with worker_lost", async () => {
  const first = await stop(await called(2), "lost");
  expect(first).toEqual({ recorded: "retry", state: "queued", attempts: 1, code: null });
  const last = await stop(await called(1), "lost");
  expect(last).toEqual({ recorded: "failed", state: "failed", attempts: 1, code: "worker_lost" });
});

test("a turn that is given back uses none, and one that is cancelled is over", async () => {
  const released = await stop(await called(1), "released");
  expect(released).toEqual({ recorded: "released", state: "queued", attempts: 0, code: null });
  const cancelled = await stop(await called(1), "cancelled");
  expect(cancelled).toEqual({ recorded: "cancelled", state: "cancelled", attempts: 1, code: "cancelled" });
});

test("a turn that nobody stopped has no such ending; what cannot be retried has no second attempt", async () => {
  const turn = await called(3);
  const lease = { signal: new AbortController().signal, release: () => undefined };
  expect(stopInput({ settings }, turn, lease)).toBeUndefined();
  const timeout = { code: "timeout", message: "too slow" } as const;
  expect(endingOfFailure({ settings }, turn, timeout)).toEqual({ ending: "failed", failure: timeout });
});
