// What a worker's one look finds: the dispatch's leader, turns that nobody claims, and builds.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { sql } from "kysely";
import { builds, readDueWork, readWorkerWork, turns, workers, type WorkerWork } from "../src/index.ts";
import { openScene, type Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(() => scene.close());

const look = (db = scene.db): Promise<WorkerWork> =>
  readWorkerWork(db, { lead: "dispatcher", leadTtlMs: 60_000, expiresWithinMs: 4_000, buildLossesMax: 3 });

test("at rest there is nothing", async () => {
  expect(await look()).toEqual({ leader: false, unclaimed: false, builds: false });
});

test("a leader counts while it was seen lately", async () => {
  await workers.leadIfFree(scene.db, "dispatcher", "here", 1_000);
  expect(await look()).toMatchObject({ leader: true });
  await sql`update leaders set seen_at = seen_at - interval '2 minutes'`.execute(scene.db.kysely);
  expect(await look()).toMatchObject({ leader: false });
});

test("a dispatched turn is unclaimed when it soon expires, and not after that", async () => {
  const session = await scene.session();
  const message = await scene.send(session);
  await scene.dispatchOnly(session);
  const expireIn = (seconds: number) =>
    sql`update sessions set lease_until = clock_timestamp() + ${seconds} * interval '1 second'
      where id = ${session}`.execute(scene.db.kysely);
  await expireIn(30);
  expect(await look()).toMatchObject({ unclaimed: false });
  await expireIn(3);
  expect(await look()).toMatchObject({ unclaimed: true });
  await expireIn(-1);
  expect(await look()).toMatchObject({ unclaimed: false });
  await turns.cancelMessageOf(scene.db, scene.organizationId, message);
});

test("a build counts while no worker holds it, and until it was lost too often", async () => {
  const building = await openScene({ building: true });
  const { db, versionId } = building;
  try {
    expect(await look(db)).toMatchObject({ builds: true });
    await builds.claimBuildIfAny(db, "wrk_a", { leaseMs: 60_000, lossesMax: 3 });
    expect(await look(db)).toMatchObject({ builds: false });
    await sql`update versions set build_lease_until = now() - interval '1 second' where id = ${versionId}`.execute(
      db.kysely,
    );
    expect(await look(db)).toMatchObject({ builds: true });
    await sql`update versions set build_losses = 3 where id = ${versionId}`.execute(db.kysely);
    expect(await look(db)).toMatchObject({ builds: false });
    // The reconciler then fails it.
    expect(await readDueWork(db)).toMatchObject({ builds: true });
  } finally {
    await building.close();
  }
});
