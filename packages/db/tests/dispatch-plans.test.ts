// The dispatcher's queries of every tick, and the API's of every message, use partial indexes.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newId } from "@dari/domain";
import { testWorker } from "@dari/testkit";
import { sql } from "kysely";
import { dispatch, readDueWork, turns, withinTransaction, workers } from "../src/index.ts";
import { openScene, type Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(() => scene.close());

/** Returns the plan if scanning a whole table is the last resort, as it is for a large table. */
async function planOf(call: string): Promise<string> {
  const client = await scene.db.pool.connect();
  try {
    await client.query("begin");
    await client.query("set local enable_seqscan = off");
    const { rows } = await client.query<{ "QUERY PLAN": string }>(`explain select * from ${call}`);
    return rows.map((row) => row["QUERY PLAN"]).join("\n");
  } finally {
    await client.query("rollback");
    client.release();
  }
}

test.each([
  ["fleet_load(6000)", "sessions_in_flight", "sessions"],
  ["ready_organizations()", "sessions_ready", "sessions"],
  ["ended_seconds(now() - interval '1 second', 250, 1000)", "events_attempt_ended", "events"],
  ["open_messages('org_1', 100)", "messages_open_by_organization", "messages"],
])("%s reads %s", async (call, index, table) => {
  const plan = await planOf(call);
  expect(plan).toMatch(new RegExp(`Scan using ${index} on ${table}|Bitmap Index Scan on ${index}`));
  expect(plan).not.toMatch(new RegExp(`Seq Scan on ${table}\\b`));
});

test("the history reads only what its own turns have taken", async () => {
  const plan = await planOf("history_before('sess_1', 5, 10, 1000)");
  expect(plan).toMatch(/messages_steered[^]*?Index Cond: .*steered_into = /);
});

test("the fleet's load is counted by organization", async () => {
  const before = await dispatch.getFleetLoad(scene.db, 6_000);
  const nothing = { slots: 0, starts: 0, organizationMax: Infinity, workers: 0, inFlight: 0 };
  expect(before).toEqual({ ...nothing, isShared: false, holders: [] });
  const session = await scene.session();
  const message = await scene.send(session);
  const { organizationId } = scene;
  const share = { organizationId, weight: 1, maxConcurrency: null };
  expect(await dispatch.listReadyOrganizations(scene.db)).toEqual([share]);
  expect(await readDueWork(scene.db)).toMatchObject({ ready: true, expired: false, queued: false });
  await scene.dispatchOnly(session);
  expect(await readDueWork(scene.db)).toMatchObject({ ready: false, expired: false, queued: true });
  await sql`update sessions set lease_until = now() - interval '1 second' where id = ${session}`.execute(
    scene.db.kysely,
  );
  expect(await readDueWork(scene.db)).toMatchObject({ ready: false, expired: true });
  await workers.upsertWorkerSeen(scene.db, testWorker({ id: "wrk_idle", slots: 5 }));
  expect(await dispatch.getFleetLoad(scene.db, 6_000)).toMatchObject({
    slots: 5,
    starts: 4,
    organizationMax: Infinity,
  });
  const busy = testWorker({ id: "wrk_a", slots: 5 }, { startsMax: 3, organizationMax: 2 });
  await workers.upsertWorkerSeen(scene.db, busy);
  const after = await dispatch.getFleetLoad(scene.db, 6_000);
  const holders = [{ ...share, inFlight: 1 }];
  expect(after).toMatchObject({ slots: 10, starts: 7, organizationMax: 7, inFlight: 1, holders });
  for (const id of ["wrk_idle", "wrk_a"]) await workers.deleteWorker(scene.db, id);
  expect(await dispatch.listReadyOrganizations(scene.db)).toEqual([]);
  await turns.cancelMessageOf(scene.db, organizationId, message);
});

test("a database that accepts no writes has no work to report", async () => {
  const looking = scene.db.kysely
    .transaction()
    .setAccessMode("read only")
    .execute((tx) => readDueWork(withinTransaction(scene.db, tx)));
  await expect(looking).rejects.toThrow("the database accepts no writes");
});

test("ended attempts are read once, with the seconds that they held a slot", async () => {
  const bounds = { settlingMs: 0, limit: 1 };
  const start = await dispatch.readSlotUsage(scene.db, undefined, bounds);
  expect(start.ended).toEqual([]);
  for (const seconds of [3, 4]) {
    const session = await scene.session();
    await scene.send(session);
    const turn = await scene.claim(session);
    await sql`update attempts set claimed_at = claimed_at - ${seconds} * interval '1 second'
      where session_id = ${session}`.execute(scene.db.kysely);
    await turns.finishIfHeld(scene.db, turn, { ending: "released" });
    await turns.cancelMessageOf(scene.db, scene.organizationId, turn.messageId);
  }
  let { until } = start;
  for (const seconds of [3, 4]) {
    const read = await dispatch.readSlotUsage(scene.db, until, bounds);
    expect(read.ended).toMatchObject([{ organizationId: scene.organizationId, weight: 1, turns: 1 }]);
    expect(read.ended[0]?.seconds).toBeCloseTo(seconds, 0);
    until = read.until;
  }
  expect(await dispatch.readSlotUsage(scene.db, until, bounds)).toEqual({ until, ended: [] });
});

test("open messages are counted only up to the limit", async () => {
  const session = await scene.session();
  const messages = [await scene.send(session), await scene.send(session), await scene.send(session)];
  const count = (max: number) => dispatch.countOpenMessages(scene.db, scene.organizationId, max);
  expect([await count(10), await count(2)]).toEqual([
    { open: 3, max: 10 },
    { open: 2, max: 2 },
  ]);
  await sql`update organizations set max_backlog = 1 where id = ${scene.organizationId}`.execute(scene.db.kysely);
  expect(await count(10)).toEqual({ open: 1, max: 1 });
  for (const message of messages) await turns.cancelMessageOf(scene.db, scene.organizationId, message);
  expect(await count(10)).toEqual({ open: 0, max: 1 });
  expect(await dispatch.countOpenMessages(scene.db, newId("organization"), 10)).toBeUndefined();
});
