// Budgets with concurrent transactions: none begins a turn too many, and none deadlocks.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { newId } from "@dari/domain";
import { sql } from "kysely";
import {
  withinTransaction,
  budgets,
  dispatch,
  purges,
  turns,
  withTransaction,
  type ClaimedTurn,
  type NewBudget,
} from "../src/index.ts";
import { emptySnapshot, openScene, type Scene } from "./scene.ts";
import { untilWaiting } from "./until-waiting.ts";

let scene: Scene;
beforeEach(async () => {
  scene = await openScene();
});
afterEach(() => scene.close());

async function put(caps: Partial<NewBudget>): Promise<string> {
  const none = { maxTurns: null, maxTurnSeconds: null, maxTokens: null };
  const budget: NewBudget = {
    ...{ id: newId("budget"), organizationId: scene.organizationId, targetId: scene.organizationId, ...none },
    ...({ scope: "organization", period: "total", setBy: "organization" } as const),
    ...caps,
  };
  expect(await budgets.putBudgetIfBelow(scene.db, budget, 100)).toEqual({ outcome: "put", id: budget.id });
  return budget.id;
}

function dispatchTwo(db = scene.db): Promise<unknown[]> {
  return dispatch.dispatchIfReady(db, [{ organizationId: scene.organizationId, count: 2 }], 60_000);
}

async function ready(count: number): Promise<string[]> {
  const sessions: string[] = [];
  for (let i = 0; i < count; i++) {
    const session = await scene.session();
    await scene.send(session);
    sessions.push(session);
  }
  return sessions;
}

test("two concurrent dispatches begin no more turns than the budget allows", async () => {
  const sessions = await ready(2);
  await put({ maxTurns: 1 });
  await withTransaction(scene.db, async (tx) => {
    const first = await dispatch.dispatchIfReady(
      withinTransaction(scene.db, tx),
      [{ organizationId: scene.organizationId, count: 1 }],
      60_000,
    );
    expect(first).toHaveLength(1);
    expect(await dispatchTwo()).toEqual([]);
  });
  expect(await dispatchTwo()).toEqual([]);
  const schedules = await Promise.all(sessions.map(async (id) => (await scene.row(id)).schedule));
  expect(schedules.toSorted()).toEqual(["blocked", "dispatched"]);
});

test.each([
  [{ maxTurns: 5 }, "ready"],
  [{ maxTokens: 5 }, "dispatched"],
])("a message under %j is %s immediately", async (caps, expected) => {
  await put(caps);
  const accepted = await turns.acceptMessage(scene.db, {
    ...{ organizationId: scene.organizationId, sessionId: await scene.session(), messageId: newId("message") },
    ...{ parts: [{ type: "text", text: "hello" }], metadata: {}, attachments: [], dispatchTtlMs: 60_000 },
    ...{ onBusy: undefined, retryOf: undefined },
  });
  expect(accepted).toMatchObject({ outcome: "accepted", schedule: expected });
});

test("invalid usage of an agent does not add up to a number that cannot be stored", async () => {
  const id = await put({ maxTurns: 5 });
  await sql`update budgets set tokens = 9220000000000000000 where id = ${id}`.execute(scene.db.kysely);
  const [session] = await ready(1);
  const turn = await scene.claim(session!);
  await turns.markCalledIfHeld(scene.db, turn);
  const output = { parts: [], usage: { total_tokens: Number.MAX_SAFE_INTEGER } };
  const ended = await turns.finishIfHeld(scene.db, turn, {
    ...{ ending: "completed", output, filesChanged: [], snapshot: emptySnapshot(null) },
  });
  expect(ended?.recorded).toBe("completed");
});

test("an attempt's usage is charged however it ends", async () => {
  await put({ maxTokens: 1_000 });
  const output = { parts: [], usage: { input_tokens: 30, output_tokens: 10 } };
  const asked = { key: "go", schema: {}, prompt: undefined, waitSeconds: 60, placed: [] };
  const failure = { code: "agent_error", message: "it threw" } as const;
  for (const [index, input] of [
    { ending: "suspended", asked, snapshot: emptySnapshot(null) } as const,
    { ending: "failed", failure } as const,
    { ending: "retry", failure } as const,
    { ending: "cancelled" } as const,
  ].entries()) {
    const [session] = await ready(1);
    const turn = await scene.claim(session!);
    await turns.markCalledIfHeld(scene.db, turn);
    const ended = await turns.finishIfHeld(scene.db, turn, { ...input, output });
    expect(ended?.recorded).toBe(input.ending);
    const [budget] = (await budgets.listBudgets(scene.db, scene.organizationId, { limit: 1, after: undefined }))!.rows;
    expect([input.ending, budget?.tokens]).toEqual([input.ending, 40 * (index + 1)]);
  }
});

test("a worker's end and the reaper's ends of several turns do not wait in a circle", async () => {
  const [lost, lostToo, held] = (await ready(3)) as [string, string, string];
  const shared = await put({ scope: "session", targetId: held, maxTokens: 10, id: "bdg_1" });
  const all = await put({ maxTokens: 10, id: "bdg_2" });
  await dispatch.dispatchIfReady(scene.db, [{ organizationId: scene.organizationId, count: 3 }], 60_000);
  const claimed: ClaimedTurn[] = [];
  for (const sessionId of [lost, lostToo, held]) {
    const job = { sessionId, dispatchNumber: 1 };
    const claim = await turns.claimIfDispatched(scene.db, job, newId("attempt"), {
      ...{ workerId: "w", leaseMs: 60_000, guarantees: {} },
    });
    if (claim.outcome !== "claimed") throw new Error(`not claimed: ${claim.outcome}`);
    await turns.markCalledIfHeld(scene.db, claim.turn);
    claimed.push(claim.turn);
  }
  // Budgets of the third session are also the second's, and not the first's.
  await sql`update budgets set target_id = ${await agentOf(lostToo)} where id = ${shared}`.execute(scene.db.kysely);
  await moveToOtherAgent(lost);
  await sql`update sessions set lease_until = clock_timestamp() - case id when ${lost} then 2 else 1 end
    * interval '1 second' where id in (${lost}, ${lostToo})`.execute(scene.db.kysely);

  const waits: Promise<unknown>[] = [];
  await withTransaction(scene.db, async (tx) => {
    await sql`select 1 from budgets where id = ${all} for no key update`.execute(tx);
    waits.push(dispatch.reapExpired(scene.db, { limit: 10, graceMs: 0, overdueMs: 0, uncountedClaimsMax: 3 }));
    await untilWaiting(scene.db, 1);
    const failure = { code: "agent_error", message: "it threw" } as const;
    waits.push(turns.finishIfHeld(scene.db, claimed[2]!, { ending: "failed", failure }));
    await untilWaiting(scene.db, 2);
  });
  const [reaped, finished] = await Promise.all(waits);
  expect(reaped).toHaveLength(2);
  expect(finished).toMatchObject({ recorded: "failed" });
});

test("what was dispatched before turns were stopped does not begin after it", async () => {
  const [job, pulled] = (await ready(2)) as [string, string];
  await dispatchTwo();
  await budgets.putPlatformStop(scene.db, "the model is down");
  const claimant = { workerId: "w", leaseMs: 60_000, guarantees: {} };
  const claimed = await turns.claimIfDispatched(
    scene.db,
    { sessionId: job, dispatchNumber: 1 },
    newId("attempt"),
    claimant,
  );
  expect(claimed).toEqual({ outcome: "stale" });
  expect(await turns.claimNextIfAny(scene.db, newId("attempt"), claimant)).toBeUndefined();
  for (const id of [job, pulled]) expect(await heldBy(id)).toBe("paused");
  await budgets.deletePlatformStop(scene.db);
  expect((await budgets.resumeIfWithinBudget(scene.db, undefined, undefined, 10)).released).toHaveLength(2);
  expect(await dispatchTwo()).toHaveLength(2);
});

test("any number of sessions that an agent's or the organization's budget holds is checked once", async () => {
  const [first, other, ...rest] = (await ready(8)) as [string, string, ...string[]];
  await moveToOtherAgent(other);
  const capped = await put({ maxTurns: 0 });
  await dispatch.dispatchIfReady(scene.db, [{ organizationId: scene.organizationId, count: 8 }], 60_000);
  const agents = [await agentOf(first), await agentOf(other)].toSorted();
  const at = (agentId: string, sessionId: string | null) => ({
    ...{ organizationId: scene.organizationId, agentId, sessionId },
  });

  // One step per agent.
  expect(await budgets.resumeIfWithinBudget(scene.db, undefined, undefined, 2)).toMatchObject({
    ...{ released: [], next: at(agents[1]!, null) },
  });
  expect((await budgets.resumeIfWithinBudget(scene.db, undefined, undefined, 3)).next).toBeUndefined();

  await budgets.deleteBudgetIfAllowed(scene.db, scene.organizationId, capped, true);
  await put({ scope: "agent", targetId: await agentOf(other), maxTurns: 0 });
  await put({ scope: "session", targetId: first, maxTurns: 0 });
  const released: string[] = [];
  let after: budgets.HeldSessionKey | undefined;
  do {
    const pass = await budgets.resumeIfWithinBudget(scene.db, scene.organizationId, after, 2);
    released.push(...pass.released.map(({ sessionId }) => sessionId!));
    after = pass.next;
  } while (after !== undefined);
  expect(released.toSorted()).toEqual(rest.toSorted());
  for (const id of [first, other]) expect((await scene.row(id)).schedule).toBe("blocked");
});

test("a session's budget goes with it", async () => {
  const session = await scene.session();
  await put({ scope: "session", targetId: session, maxTurns: 1 });
  const kept = await put({ maxTurns: 1 });
  await sql`update sessions set deleted_at = clock_timestamp() - interval '1 hour' where id = ${session}`.execute(
    scene.db.kysely,
  );
  expect(await purges.purgeSessions(scene.db, 0, 10)).toBe(1);
  const left = await budgets.listBudgets(scene.db, scene.organizationId, { limit: 10, after: undefined });
  expect(left?.rows.map(({ id }) => id)).toEqual([kept]);
});

async function heldBy(sessionId: string): Promise<string | null> {
  const { rows } = await sql<{ reason: string | null }>`select blocked_reason as reason from sessions
    where id = ${sessionId} and schedule = 'blocked' and lease_until is null`.execute(scene.db.kysely);
  return rows[0]?.reason ?? null;
}

async function agentOf(sessionId: string): Promise<string> {
  const { rows } = await sql<{ id: string }>`select agent_id as id from sessions where id = ${sessionId}`.execute(
    scene.db.kysely,
  );
  return rows[0]!.id;
}

async function moveToOtherAgent(sessionId: string): Promise<void> {
  const id = newId("agent");
  await sql`insert into agents (id, organization_id, name) values (${id}, ${scene.organizationId}, 'b')`.execute(
    scene.db.kysely,
  );
  await sql`update sessions set agent_id = ${id} where id = ${sessionId}`.execute(scene.db.kysely);
}
