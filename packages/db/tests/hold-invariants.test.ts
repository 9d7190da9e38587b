// The invariants of budgets and stops find violations, and nothing else.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { newId } from "@dari/domain";
import { createTestAgent, createTestBatch } from "@dari/testkit";
import { sql } from "kysely";
import { budgets, createInvariantRounds, dispatch, findViolations, turns } from "../src/index.ts";
import { openScene, type Scene } from "./scene.ts";

let scene: Scene;
beforeEach(async () => {
  scene = await openScene();
});
afterEach(() => scene.close());

const run = (statement: ReturnType<typeof sql>): Promise<unknown> => statement.execute(scene.db.kysely);

async function put(maxTurns: number): Promise<string> {
  const { organizationId } = scene;
  const id = newId("budget");
  await budgets.putBudgetIfBelow(
    scene.db,
    {
      ...{ id, organizationId, scope: "organization", targetId: organizationId, period: "total", setBy: "operator" },
      ...{ maxTurns, maxTurnSeconds: null, maxTokens: null },
    },
    100,
  );
  return id;
}

/** Makes budgets look unchanged for an hour. */
const settle = (): Promise<unknown> =>
  run(
    sql`update budgets set changed_at = changed_at - interval '1 hour', last_end_at = last_end_at - interval '1 hour'`,
  );

async function held(): Promise<string> {
  const session = await scene.session();
  await scene.send(session);
  const share = { organizationId: scene.organizationId, count: 1 };
  expect(await dispatch.dispatchIfReady(scene.db, [share], 60_000)).toEqual([]);
  expect((await scene.row(session)).schedule).toBe("blocked");
  return session;
}

/** Both ways of checking must agree. */
async function violated(): Promise<string[]> {
  const all = (await findViolations(scene.db)).map(({ invariant }) => invariant);
  expect((await createInvariantRounds(scene.db).next()).map(({ invariant }) => invariant)).toEqual(all);
  return all;
}

test("a session that a full budget holds is valid, one that nothing holds is found in time", async () => {
  await put(0);
  await held();
  await settle();
  expect(await violated()).toEqual([]);
  await run(sql`update budgets set max_turns = 5, changed_at = clock_timestamp()`);
  expect(await violated()).toEqual([]);
  await settle();
  expect(await violated()).toEqual(["held_session_is_held"]);
  // Room that a running turn has left, and is about to take again.
  const other = await scene.session();
  await scene.send(other);
  expect(await violated()).toEqual([]);
});

test("a session that no budget and no stop holds is found", async () => {
  await budgets.putPlatformStop(scene.db, "why");
  await held();
  expect(await violated()).toEqual([]);
  await budgets.deletePlatformStop(scene.db);
  expect(await violated()).toEqual(["held_session_is_held"]);
  const entry = { id: newId("auditEntry"), target: "platform" };
  await run(sql`update organizations set is_operator = true where id = ${scene.organizationId}`);
  await run(sql`insert into audit_entries (id, organization_id, action, target)
    values (${entry.id}, ${scene.organizationId}, 'platform.resume', ${entry.target})`);
  expect(await violated()).toEqual([]);
});

test("a turn that begins though its budget has long been used up is found", async () => {
  const session = await scene.session();
  await scene.send(session);
  await scene.claim(session);
  await put(1);
  await run(sql`update budgets set turns = 1, last_end_at = clock_timestamp()`);
  expect(await violated()).toEqual([]);
  await settle();
  expect(await violated()).toEqual(["turns_begin_within_budgets"]);
});

test("more concurrent turns than a budget allows are found; a lowered budget is not a violation", async () => {
  for (let i = 0; i < 2; i++) {
    const session = await scene.session();
    await scene.send(session);
    await scene.claim(session);
  }
  await put(1);
  expect(await violated()).toEqual([]);
  await settle();
  expect(await violated()).toEqual(["turns_begin_within_budgets"]);
});

test("more concurrent turns of a batch than it allows are found", async () => {
  const { agentId } = await createTestAgent(scene.db, scene.organizationId);
  const batch = await createTestBatch(scene.db, scene.organizationId, agentId);
  await run(sql`update session_batches set max_concurrency = 1 where id = ${batch}`);
  for (const expected of [[], ["batch_within_max_concurrency"]]) {
    const session = await scene.session();
    await scene.send(session);
    await scene.claim(session);
    await run(sql`update sessions set batch_id = ${batch} where id = ${session}`);
    expect(await violated()).toEqual(expected);
  }
});

test("ordinary charges, holds, releases and ends violate neither", async () => {
  await put(2);
  for (const ending of ["failed", "released", "failed"] as const) {
    const session = await scene.session();
    await scene.send(session);
    const turn = await scene.claim(session);
    await settle();
    expect(await violated()).toEqual([]);
    if (ending === "failed") await turns.markCalledIfHeld(scene.db, turn);
    const failure = ending === "failed" ? ({ code: "agent_error", message: "it threw" } as const) : undefined;
    await turns.finishIfHeld(scene.db, turn, { ending, failure });
    expect(await violated()).toEqual([]);
    if (ending === "released") await run(sql`delete from sessions where id = ${session}`);
  }
  await held();
  await settle();
  expect(await violated()).toEqual([]);
});
