// What the database has confirmed survives its crash. Otherwise an acknowledged message would be lost, and the next
// claim would get the same fence, so that a late worker's write would be accepted.

import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { startCrashServer, type CrashServer } from "@dari/testkit";
import { openDatabase, type Database } from "../../src/index.ts";
import {
  accept,
  cancel,
  claim,
  dispatchOne,
  faultsAfterDrain,
  finish,
  markCalled,
  openPlace,
  reap,
  stateOf,
  type Place,
} from "./place.ts";

let server: CrashServer;
let db: Database;
let place: Place;
beforeAll(async () => {
  server = await startCrashServer();
  await writeLate();
  db = open();
});
beforeEach(async () => {
  place = await openPlace(db);
});
afterAll(async () => {
  await db.close();
  await server[Symbol.asyncDispose]();
});

function open(): Database {
  return openDatabase({ url: server.url, poolMax: 2, role: "dari_app", applicationName: "dari-crash" });
}

/** From now on, only a commit that waits for the disk reaches it within ten seconds. */
async function writeLate(): Promise<void> {
  const owner = openDatabase({ url: server.url, poolMax: 1, applicationName: "dari-crash" });
  for (const setting of ["wal_writer_delay = '10s'", "wal_writer_flush_after = '1GB'"]) {
    await owner.pool.query(`alter system set ${setting}`);
  }
  await owner.pool.query("select pg_reload_conf()");
  await owner.close();
}

async function crash(): Promise<void> {
  await server.crash();
  await db.close();
  db = open();
}

test("a claim that was answered survives: the next one has another fence and another token", async () => {
  await accept(place, db);
  await dispatchOne(place, db);
  expect(await claim(place, db, 1, 0)).toMatchObject({ outcome: "claimed", fence: 1 });
  await crash();
  const late = { ...place };
  expect(await reap(place, db)).toEqual([{ was: "leased", recorded: "lost" }]);
  await dispatchOne(place, db);
  expect(await claim(place, db, 2)).toMatchObject({ outcome: "claimed", fence: 2, message: "m1" });
  expect(place.turn?.token).not.toBe(late.turn?.token);
  expect(await finish(late, db, "completed")).toBe("superseded");
  expect(await finish(place, db, "completed")).toMatchObject({ recorded: "completed" });
  expect(await faultsAfterDrain(place, db)).toEqual([]);
});

test("a call that a crash may have undone counts, at a retry and at a reap", async () => {
  for (const end of [() => finish(place, db, "retry"), () => reap(place, db)]) {
    place = await openPlace(db);
    await accept(place, db);
    await dispatchOne(place, db);
    await claim(place, db, 1, 0);
    expect(await markCalled(place, db)).toBe(true);
    await crash();
    await end();
    const { rows } = await db.pool.query<{ attempts: number; called: boolean }>(
      `select m.attempts, a.called_at is not null as called from messages m join attempts a on a.message_id = m.id
        where m.session_id = $1`,
      [place.sessionId],
    );
    expect(rows).toEqual([{ attempts: 1, called: true }]);
    expect(await faultsAfterDrain(place, db)).toEqual([]);
  }
});

test("an accept, a finish and a cancel that were answered survive", async () => {
  const survives = async (): Promise<void> => {
    const before = await stateOf(place, db);
    await crash();
    expect(await stateOf(place, db)).toEqual(before);
  };
  await accept(place, db);
  await accept(place, db);
  await survives();
  await dispatchOne(place, db);
  await claim(place, db, 1);
  await finish(place, db, "completed");
  await survives();
  expect(await finish(place, db, "completed")).toMatchObject({ recorded: "completed", again: true });
  await cancel(place, db, 1);
  await survives();
  expect(await faultsAfterDrain(place, db)).toEqual([]);
});
