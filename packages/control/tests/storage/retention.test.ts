// What expires or belongs to a deleted organization is really removed: rows and objects, and nothing of others.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { deleteExpired, purgeDeleted, sweepStore, type ExpiryCounts, type StorageContext } from "@dari/control/storage";
import { findViolations, organizations, sessions, turns, type Database } from "@dari/db";
import {
  createTestAgent,
  createTestFile,
  createTestMessage,
  createTestOrganization,
  createTestSession,
} from "@dari/testkit";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openWorkspaceFixture, type WorkspaceFixture } from "./workspace-fixture.ts";

let fixture: WorkspaceFixture;
let db: Database;
let said: string[];
let context: Parameters<typeof deleteExpired>[0] & StorageContext;
beforeAll(async () => {
  fixture = await openWorkspaceFixture();
  db = fixture.db;
  context = {
    db,
    blobs: fixture.blobs,
    log: { info() {}, warn() {}, error() {}, debug() {} },
    notifier: {
      notify: (topic, id) => void said.push(`${topic} ${id}`),
      subscribe: () => () => undefined,
      close: () => Promise.resolve(),
    },
  };
});
afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
});

/** Every session in steps of two, and the first one twice. */
async function expireAll(): Promise<ExpiryCounts> {
  said = [];
  const total = { expired: 0, deleted: 0, recordings: 0, organizations: 0 };
  for (let pass = 0; pass < 8; pass++) {
    const counts = await deleteExpired(context, { graceDays: 7, afterMs: -1, perPass: 2 });
    for (const name of ["expired", "deleted", "recordings", "organizations"] as const) total[name] += counts[name];
  }
  return total;
}

async function age(sessionId: string, days: number): Promise<void> {
  for (const [table, column] of [
    ["sessions", "id"],
    ["snapshots", "session_id"],
  ]) {
    const text = `update dari.${table} set created_at = created_at - $2 * interval '1 day' where ${column} = $1`;
    await db.pool.query(text, [sessionId, days]);
  }
  await db.pool.query(
    "update dari.messages set completed_at = completed_at - $2 * interval '1 day' where session_id = $1",
    [sessionId, days],
  );
}

async function stateOf(sessionId: string): Promise<string> {
  const { rows } = await db.pool.query<{ text: string }>(
    "select case when deleted_at is null then state else 'deleted' end as text from dari.sessions where id = $1",
    [sessionId],
  );
  return rows[0]?.text ?? "gone";
}

const write = (dir: string): void => writeFileSync(join(dir, "workspace/a"), "x".repeat(1_000));

test("without a retention nothing expires, whatever its age", async () => {
  const old = await fixture.newSession();
  await age(old, 10_000);
  expect(await expireAll()).toEqual({ expired: 0, deleted: 0, recordings: 0, organizations: 0 });
  expect(await stateOf(old)).toBe("open");
  await sessions.softDeleteSessionIfIdle(db, {
    organizationId: fixture.organizationId,
    sessionId: old,
    cancel: false,
  });
});

test("a session expires after its last message or write, and is deleted a week later", async () => {
  const { organizationId } = fixture;
  await organizations.updateOrganizationLimits(db, organizationId, { session_retention_days: 30 });
  const worker = await fixture.newWorker();
  const [young, old, ancient, completed, busy] = (await Promise.all(
    [0, 1, 2, 3, 4].map(() => fixture.newSession()),
  )) as [string, string, string, string, string];
  await fixture.turn(worker, young, write);
  await age(young, 29);
  await age(old, 31);
  await age(ancient, 38);
  await sessions.completeSessionIfOpen(db, { organizationId, sessionId: completed, cancel: false });
  await age(completed, 31);
  const open = await createTestMessage(db, organizationId, busy);
  await age(busy, 100);

  expect(await expireAll()).toEqual({ expired: 1, deleted: 1, recordings: 0, organizations: 0 });
  const all = [young, old, ancient, completed, busy];
  expect(await Promise.all(all.map(stateOf))).toEqual(["open", "expired", "deleted", "completed", "open"]);
  // Created long ago, and used recently.
  await age(young, 5);
  await db.pool.query("update dari.messages set completed_at = clock_timestamp() where session_id = $1", [young]);
  await age(old, 7);
  await age(completed, 7);
  expect(await expireAll()).toEqual({ expired: 0, deleted: 2, recordings: 0, organizations: 0 });
  expect(await Promise.all(all.map(stateOf))).toEqual(["open", "deleted", "deleted", "deleted", "open"]);
  const { rows } = await db.pool.query(
    "select data from dari.events where type = 'session.status_changed' and session_id = $1",
    [old],
  );
  expect(rows).toEqual([{ data: { status: "expired" } }]);
  expect(await findViolations(db)).toEqual([]);
  await turns.cancelMessageOf(db, organizationId, open);
  await organizations.updateOrganizationLimits(db, organizationId, { session_retention_days: null });
});

test("a deleted organization leaves its row and its record of changes, and no byte in the store", async () => {
  const stranger = await createTestOrganization(db);
  const { agentId } = await createTestAgent(db, stranger.organizationId);
  const theirs = await createTestSession(db, stranger.organizationId, agentId);
  const theirFile = await createTestFile(db, stranger.organizationId);
  await context.blobs.put(`${stranger.organizationId}/files/${theirFile}`, Buffer.from("x"));

  const { organizationId } = fixture;
  const session = await fixture.newSession();
  await fixture.turn(await fixture.newWorker(), session, write);
  const waiting = await createTestMessage(db, organizationId, session);
  const fileId = await createTestFile(db, organizationId);
  await context.blobs.put(`${organizationId}/files/${fileId}`, Buffer.from("x"));

  const remove = (id: string) => organizations.deleteOrganizationIfTenant(db, id);
  expect([await remove("org_none"), await remove(organizationId), await remove(organizationId)]).toEqual([
    "missing",
    "deleted",
    "missing",
  ]);
  expect((await expireAll()).organizations).toBe(1);
  expect(said).toEqual(expect.arrayContaining([`session ${session}`, `message ${waiting}`]));
  const purge = { afterMs: -1, abandonedMs: -1, unusedMs: 86_400_000, devVersionsMs: 86_400_000, perPass: 50 };
  for (let pass = 0; pass < 3; pass++) await purgeDeleted(context, purge);
  const sweep = { youngMs: -60_000, afterMs: -1, rememberMs: -1, perPass: 1_000 };
  for (let pass = 0; pass < 3; pass++) await sweepStore(context, sweep);

  const left: string[] = [];
  for await (const { key } of context.blobs.list("")) left.push(key);
  expect(left).toEqual([`${stranger.organizationId}/files/${theirFile}`]);
  const { rows: tables } = await db.pool.query<{ name: string }>(
    `select table_name as name from information_schema.columns
     where table_schema = 'dari' and column_name = 'organization_id'`,
  );
  const owning: string[] = [];
  for (const { name } of tables) {
    const found = await db.pool.query(`select from dari.${name} where organization_id = $1 limit 1`, [organizationId]);
    if ((found.rowCount ?? 0) > 0) owning.push(name);
  }
  expect(owning).toEqual([]);
  expect(await stateOf(theirs)).toBe("open");
  expect(await organizations.findOrganization(db, organizationId)).toBeUndefined();
  expect(await expireAll()).toEqual({ expired: 0, deleted: 0, recordings: 0, organizations: 0 });
});

test("a pass deletes at most what one statement can delete of long sessions, and the next one continues", async () => {
  const { organizationId } = await createTestOrganization(db);
  const { agentId } = await createTestAgent(db, organizationId);
  const long: string[] = [];
  for (let n = 0; n < 3; n++) long.push(await createTestSession(db, organizationId, agentId));
  await db.pool.query(
    "update dari.sessions set deleted_at = now() - interval '1 day', next_event_number = 150001 where id = any ($1)",
    [long],
  );
  const passes = [await purgeDeleted(context), await purgeDeleted(context), await purgeDeleted(context)];
  expect(passes.map(({ sessions: purged }) => purged)).toEqual([2, 1, 0]);
});
