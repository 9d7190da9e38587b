// Maintenance of the object store: referenced objects stay, all others are deleted in the end, and moved contents stay
// the same.

import { afterAll, beforeEach, expect, test } from "@jest/globals";
import {
  checkStore,
  createSquasher,
  createSnapshotTrees,
  purgeDeleted,
  squashSnapshot,
  sweepStore,
  type StorageContext,
} from "@dari/control/storage";
import { findViolations, heads, objects, squashes, type Database } from "@dari/db";
import { newId } from "@dari/domain";
import { createTestFile, createTestSourceSnapshot } from "@dari/testkit";
import { restore, scan, treeHash, type Tree } from "@dari/workspace";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { recordObject } from "../../src/storage/workspaces/store-snapshot.ts";
import { openWorkspaceFixture, type WorkspaceFixture } from "./workspace-fixture.ts";

const open: WorkspaceFixture[] = [];
let fixture: WorkspaceFixture;
let db: Database;
let context: StorageContext;
beforeEach(async () => {
  fixture = await openWorkspaceFixture();
  open.push(fixture);
  db = fixture.db;
  context = { db, blobs: fixture.blobs, log: { info() {}, warn() {}, error() {}, debug() {} } };
});
afterAll(async () => {
  for (const one of open) await one[Symbol.asyncDispose]();
});

const now = { youngMs: -60_000, afterMs: -1, rememberMs: 3_600_000, perPass: 3 };
const purgeNow = { afterMs: -1, abandonedMs: -1, unusedMs: -1, devVersionsMs: -1, perPass: 50 };

/**
 * Runs passes until a whole round through the store found nothing to do. The first one continues the last call's round.
 */
async function sweepAll(): Promise<number> {
  let deleted = 0;
  let isBusy = true;
  for (let quiet = 0; quiet < 2;) {
    const counts = await sweepStore(context, now);
    deleted += counts.deleted;
    isBusy ||= counts.marked + counts.deleted > 0;
    if (counts.seen >= now.perPass) continue;
    quiet = isBusy ? 0 : quiet + 1;
    isBusy = false;
  }
  return deleted;
}

/** Returns damaged snapshots and their objects. The test's versions name bundles and images that were never stored. */
async function damagedSnapshots(): Promise<unknown[]> {
  const { problems } = await checkStore(context, { limit: 1_000, deep: true });
  return problems.filter(({ what }) => what === "snapshot" || what === "content");
}

async function keysIn(prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of fixture.blobs.list(prefix)) keys.push(key);
  return keys;
}

const write = (path: string, body: string | Uint8Array) => (dir: string) =>
  writeFileSync(join(dir, "workspace", path), body);

/** Returns the tree from the store alone, restored and scanned independently. */
async function treeOnDisk(snapshotId: string): Promise<Tree> {
  const { tree } = await createSnapshotTrees(context).load(fixture.organizationId, snapshotId);
  const dir = join(fixture.top, newId("attempt"));
  mkdirSync(dir);
  await restore({ store: fixture.blobs, tree, dir });
  const found = (await scan(dir)).tree;
  rmSync(dir, { recursive: true });
  expect(treeHash(found)).toBe(treeHash(tree));
  return found;
}

test("a sweep deletes only objects that nothing names, however the turns ended", async () => {
  const { organizationId, blobs } = fixture;
  const worker = await fixture.newWorker();
  const session = await fixture.newSession();
  await fixture.turn(worker, session, write("a", randomBytes(50_000)));
  await fixture.turn(worker, session, write("b", "two"));
  await fixture.turn(worker, session, write("c", "side"), "failed");
  const fileId = await createTestFile(db, organizationId);
  const bundle = await createTestSourceSnapshot(db, organizationId);
  await blobs.put(`${organizationId}/files/${fileId}`, Buffer.from("upload"));
  await blobs.put(`${organizationId}/bundles/${bundle}/none`, Buffer.from("bundle"));
  await blobs.put("images/none", Buffer.from("image"));
  const named = await keysIn("");

  const lost = ["snapshots/lost", "files/file_lost", "bundles/src_x/replaced", "images/old"];
  for (const key of lost) await blobs.put(`${organizationId}/${key}`, Buffer.from(key));
  expect(await sweepStore(context, { ...now, youngMs: 60_000, perPass: 100 })).toMatchObject({ marked: 0, deleted: 0 });
  const first = await sweepStore(context, { ...now, perPass: 100 });
  expect(first).toEqual({ seen: named.length + 4, marked: 4, deleted: 0 });
  expect(await sweepStore(context, { ...now, afterMs: 60_000 })).toMatchObject({ deleted: 0 });
  expect(await sweepAll()).toBe(4);
  expect(await keysIn("")).toEqual(named);
  expect(await damagedSnapshots()).toEqual([]);
});

test("what is named again loses its mark, and what is doomed cannot be named", async () => {
  const { organizationId, blobs } = fixture;
  const key = (name: string): string => `${organizationId}/snapshots/${name}`;
  for (const name of ["marked", "doomed"]) await blobs.put(key(name), Buffer.from(name));
  await objects.markUnreferenced(db, [{ key: key("marked"), sizeBytes: 6 }]);
  const leaning = { objectKey: key("new"), sizeBytes: 1, references: [{ objectKey: key("marked"), storedBytes: 1 }] };
  await recordObject(context, organizationId, leaning);
  expect(await objects.scheduleMarkedForDeletion(db, { afterMs: -1, limit: 10 })).toEqual([]);

  await objects.markUnreferenced(db, [{ key: key("doomed"), sizeBytes: 6 }]);
  expect(await objects.scheduleMarkedForDeletion(db, { afterMs: -1, limit: 10 })).toEqual([key("doomed")]);
  const late = { ...leaning, objectKey: key("late"), references: [{ objectKey: key("doomed"), storedBytes: 1 }] };
  await expect(recordObject(context, organizationId, late)).rejects.toThrow("being deleted");
  // Also if the object is missing for a while, and also for a snapshot's own object.
  expect(await sweepAll()).toBeGreaterThan(0);
  await expect(recordObject(context, organizationId, late)).rejects.toThrow("being deleted");
  const insert = `insert into dari.snapshots (id, organization_id, session_id, kind, object_key, tree_hash,
      files, total_bytes)
    values ('snap_x', $1, 'sess_x', 'write', $2, '', 0, 0)`;
  await expect(db.pool.query(insert, [organizationId, key("doomed")])).rejects.toThrow("is being deleted");
  await objects.recordDeletedObjects(db, [], -1);
  await recordObject(context, organizationId, late);
});

test("an image that a build found and that was deleted before its version names it is refused", async () => {
  const { organizationId, blobs } = fixture;
  await fixture.newSession();
  const key = `${organizationId}/images/${"0".repeat(64)}-x`;
  await blobs.put(key, Buffer.from("image"));
  expect(await sweepAll()).toBe(1);
  const name = "update dari.versions set image = jsonb_set(image, '{objectKey}', to_jsonb($1::text))";
  await expect(db.pool.query(name, [key])).rejects.toThrow("is being deleted");
});

test("a squash cuts the chain, keeps ids and trees, and concurrent turns continue", async () => {
  const worker = await fixture.newWorker();
  const session = await fixture.newSession();
  const trees = new Map<string, string>();
  for (let turn = 0; turn <= 20; turn++) {
    await fixture.turn(worker, session, (dir) => {
      write(`f${turn % 5}`, `turn ${turn}`)(dir);
      if (turn === 3) write("big", randomBytes(9 * 1024 * 1024))(dir);
    });
    trees.set(await fixture.headOf(session), treeHash(await treeOnDisk(await fixture.headOf(session))));
  }
  const [deep] = await squashes.listDeepSnapshots(db, 10);
  if (deep === undefined) throw new Error("no snapshot is deep");
  const [one, two] = await Promise.all([squashSnapshot(context, deep), squashSnapshot(context, deep)]);
  expect([one, two].filter(Boolean)).toHaveLength(1);
  const squash = createSquasher(context);
  expect(await squash()).toEqual({ squashed: 0, passed: 0 });

  // The worker continues from its cached tree, another one from the store.
  await fixture.turn(worker, session, write("f0", "after"));
  trees.set(await fixture.headOf(session), treeHash(await treeOnDisk(await fixture.headOf(session))));
  await fixture.turn(await fixture.newWorker(), session, write("f1", "after"));
  expect(await sweepAll()).toBeGreaterThan(0);
  for (const [id, hash] of trees) expect(treeHash(await treeOnDisk(id))).toBe(hash);
  expect(await damagedSnapshots()).toEqual([]);
  expect(await findViolations(db)).toEqual([]);
}, 240_000);

const hasTools = spawnSync("mksquashfs", ["-version"], { stdio: "ignore" }).error === undefined;
const testImages = hasTools ? test : test.skip;

testImages(
  "the image that a live snapshot names is kept and checked, and one without a name is deleted",
  async () => {
    const { organizationId, blobs } = fixture;
    const worker = await fixture.newWorker();
    const session = await fixture.newSession();
    for (let turn = 0; turn <= 16; turn++) {
      await fixture.turn(worker, session, (dir) => {
        // Large enough for an image, whose threshold counts files and bytes. Zeros take no time.
        if (turn === 0) write("large", Buffer.alloc(33 * 1024 * 1024))(dir);
        write("small", `turn ${turn}`)(dir);
      });
    }
    expect(await createSquasher(context)()).toEqual({ squashed: 1, passed: 0 });
    const images = async (): Promise<string[]> =>
      (await keysIn(organizationId)).filter((key) => key.endsWith("squashfs"));
    const [image = ""] = await images();
    expect(await images()).toHaveLength(1);
    const lost = `${organizationId}/snapshots/lost.squashfs`;
    await blobs.put(lost, Buffer.from("lost"));
    await sweepAll();
    expect(await images()).toEqual([image]);
    expect(await damagedSnapshots()).toEqual([]);

    const bytes = await blobs.read(image);
    const altered = Buffer.from(bytes);
    altered.writeUInt8(altered.readUInt8(100) ^ 1, 100);
    await blobs.put(image, altered);
    const owner = { what: "snapshot", problem: "damaged", detail: expect.stringContaining(image) };
    expect(await damagedSnapshots()).toMatchObject([owner]);
    await blobs.delete([image]);
    const missing = { key: image, what: "content", problem: "missing" };
    expect(await damagedSnapshots()).toEqual(expect.arrayContaining([expect.objectContaining(missing)]));

    await db.pool.query("update dari.sessions set deleted_at = clock_timestamp() where id = $1", [session]);
    await purgeDeleted(context, purgeNow);
    await sweepAll();
    expect(await images()).toEqual([]);
  },
  60_000,
);

test("a deleted session is removed permanently, and its fork stays complete", async () => {
  const { organizationId } = fixture;
  const worker = await fixture.newWorker();
  const source = await fixture.newSession();
  await fixture.turn(worker, source, write("kept", randomBytes(100_000)));
  await fixture.turn(worker, source, write("also", "kept"));
  const fork = newId("session");
  const outcome = await heads.forkSession(db, {
    organizationId,
    sourceId: source,
    messageId: undefined,
    without: false,
    sessionId: fork,
    versionId: undefined,
  });
  expect(outcome).toBe("forked");
  await fixture.turn(worker, source, write("gone", randomBytes(100_000)));
  await fixture.turn(worker, fork, write("more", "of the fork"));
  const forkHead = await fixture.headOf(fork);
  const before = treeHash(await treeOnDisk(forkHead));
  expect(await keysIn(`${organizationId}/snapshots`)).toHaveLength(4);

  await db.pool.query("update dari.sessions set deleted_at = clock_timestamp() where id = $1", [source]);
  expect(await purgeDeleted(context)).toMatchObject({ sessions: 0, snapshots: 0 });
  expect(await purgeDeleted(context, purgeNow)).toMatchObject({ sessions: 1, snapshots: 1 });
  expect(await sweepAll()).toBe(1);
  expect(await keysIn(`${organizationId}/snapshots`)).toHaveLength(3);
  expect(treeHash(await treeOnDisk(forkHead))).toBe(before);
  await fixture.turn(await fixture.newWorker(), fork, write("even more", "x"));
  expect(await damagedSnapshots()).toEqual([]);

  await db.pool.query("update dari.sessions set deleted_at = clock_timestamp() where id = $1", [fork]);
  await db.pool.query("update dari.agents set deleted_at = clock_timestamp()");
  expect(await purgeDeleted(context, purgeNow)).toMatchObject({ sessions: 1, agents: 1 });
  await purgeDeleted(context, purgeNow);
  expect(await sweepAll()).toBe(4);
  expect(await keysIn(organizationId)).toEqual([]);
  const left = "select (select count(*) from dari.snapshots) + (select count(*) from dari.snapshot_objects) as n";
  expect((await db.pool.query<{ n: string }>(left)).rows[0]?.n).toEqual(0);
});

test("a deleted upload stays until the turn that is to find it has", async () => {
  const { organizationId, blobs } = fixture;
  const fileId = await createTestFile(db, organizationId);
  const key = `${organizationId}/files/${fileId}`;
  await blobs.put(key, Buffer.from(""));
  const session = await fixture.newSession();
  const worker = await fixture.newWorker();
  const failed = await fixture.turn(worker, session, () => {}, "failed");
  await db.pool.query(
    `insert into dari.session_inputs (session_id, organization_id, path, message_id, file_id)
     values ($1, $2, $3, $4, $5)`,
    [session, organizationId, "/input/notes.txt", failed.messageId, fileId],
  );
  await db.pool.query("update dari.files set deleted_at = clock_timestamp()");
  await purgeDeleted(context, purgeNow);
  await sweepAll();
  expect(await keysIn(key)).toEqual([key]);
  await fixture.turn(worker, session, () => {});
  expect((await purgeDeleted(context, purgeNow)).files).toBe(1);
  await sweepAll();
  expect(await keysIn(key)).toEqual([]);
});

test("the check lists what is missing and what is damaged, step by step", async () => {
  const { organizationId, blobs } = fixture;
  const worker = await fixture.newWorker();
  const session = await fixture.newSession();
  for (let turn = 0; turn < 4; turn++) await fixture.turn(worker, session, write("a", randomBytes(10_000)));
  const [missing, cut, altered] = await keysIn(`${organizationId}/snapshots`);
  await blobs.delete([missing ?? ""]);
  await blobs.put(cut ?? "", (await blobs.read(cut ?? "")).subarray(0, 5_000));
  const bytes = await blobs.read(altered ?? "");
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
  await blobs.put(altered ?? "", bytes);
  const shallow = await checkStore(context, { limit: 100, deep: false });
  const images = shallow.problems.filter(({ what }) => what === "image");
  expect(shallow.problems.filter(({ what }) => what === "snapshot").map(({ key, problem }) => [key, problem])).toEqual([
    [missing, "missing"],
    [cut, "damaged"],
  ]);
  // The test's version names an image that was never stored.
  expect(images).toHaveLength(1);
  const deep: unknown[] = [];
  for (let after: string | undefined = ""; after !== undefined;) {
    const step = await checkStore(context, { after, limit: 2, deep: true });
    deep.push(...step.problems.filter(({ what }) => what === "snapshot").map(({ key, problem }) => [key, problem]));
    after = step.next;
  }
  expect(deep).toEqual([
    [missing, "missing"],
    [cut, "damaged"],
    [altered, "damaged"],
  ]);
});
