// The operators' stop with concurrent claims: once the call has returned, no turn begins.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { newId } from "@dari/domain";
import { unguardEdgesSql } from "@dari/testkit";
import { sql } from "kysely";
import { withinTransaction, budgets, dispatch, turns, withTransaction, type Database } from "../src/index.ts";
import { openScene, type Scene } from "./scene.ts";
import { untilWaiting } from "./until-waiting.ts";

let scene: Scene;
let session: string;
beforeEach(async () => {
  scene = await openScene();
  session = await scene.session();
  await scene.send(session);
});
afterEach(() => scene.close());

const claimant = { workerId: "w", leaseMs: 60_000, guarantees: {} };
const stop = (db: Database): Promise<void> => budgets.putPlatformStop(db, "the model is down");

/** Each way in which a turn begins. Returns whether it did. */
const ways: readonly (readonly [string, (db: Database, dispatchNumber: number) => Promise<boolean>])[] = [
  [
    "a job",
    async (db, dispatchNumber) => {
      const job = { sessionId: session, dispatchNumber };
      return (await turns.claimIfDispatched(db, job, newId("attempt"), claimant)).outcome === "claimed";
    },
  ],
  ["a pull", async (db) => (await turns.claimNextIfAny(db, newId("attempt"), claimant)) !== undefined],
  [
    "a retry that is due",
    async (db, dispatchNumber) => {
      await withTransaction(db, async (tx) => {
        await sql.raw(unguardEdgesSql).execute(tx);
        await sql`update sessions set schedule = 'retry_wait', lease_until = null, ready_at = clock_timestamp()
          where id = ${session}`.execute(tx);
      });
      const job = { sessionId: session, dispatchNumber };
      return (await turns.claimDueRetry(db, job, newId("attempt"), claimant, "take")).outcome === "claimed";
    },
  ],
];

test.each(ways)("a stop waits for the claim of %s that was made just before it", async (_what, claim) => {
  const dispatchNumber = await scene.dispatchOnly(session);
  const order: string[] = [];
  let stopping: Promise<void> | undefined;
  await withTransaction(scene.db, async (tx) => {
    expect(await claim(withinTransaction(scene.db, tx), dispatchNumber)).toBe(true);
    stopping = stop(scene.db).then(() => void order.push("stopped"));
    await untilWaiting(scene.db, 1);
    order.push("begun");
  });
  await stopping;
  expect(order).toEqual(["begun", "stopped"]);
});

test.each(ways)("the claim of %s that meets a stop waits for it, and begins nothing", async (_what, claim) => {
  const dispatchNumber = await scene.dispatchOnly(session);
  let claiming: Promise<boolean> | undefined;
  await withTransaction(scene.db, async (tx) => {
    await stop(withinTransaction(scene.db, tx));
    claiming = claim(scene.db, dispatchNumber);
    await untilWaiting(scene.db, 1);
  });
  expect(await claiming).toBe(false);
  expect(await dispatch.dispatchIfReady(scene.db, [{ organizationId: scene.organizationId, count: 1 }], 5_000)).toEqual(
    [],
  );
  expect((await scene.row(session)).schedule).toBe("blocked");
});
