// A database whose clock was set back, or that was replaced by a server with a slower clock: earlier times are in the
// future.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { sql } from "kysely";
import { workers } from "../src/index.ts";
import { openScene, type Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(() => scene.close());

test("sessions that became ready by then are dispatched", async () => {
  const session = await scene.session();
  await scene.send(session);
  const later = sql`update sessions set ready_at = clock_timestamp() + interval '1 hour' where id = ${session}`;
  await later.execute(scene.db.kysely);
  expect(await scene.dispatchOnly(session)).toBe(1);
});

test("no process leads from a later time", async () => {
  const { db } = scene;
  await workers.leadIfFree(db, "clock", "gone", 1_000);
  await sql`update leaders set seen_at = clock_timestamp() + interval '1 hour'`.execute(db.kysely);
  expect(await workers.hasLeader(db, "clock", 1_000)).toBe(false);
  expect(await workers.leadIfFree(db, "clock", "next", 1_000)).toBe(true);
  expect(await workers.leadIfFree(db, "clock", "gone", 1_000)).toBe(false);
});
