// Damaged or missing objects never lead to a silently incomplete workspace.

import { afterAll, describe, expect, test } from "@jest/globals";
import { findViolations } from "@dari/db";
import { SnapshotDamagedError } from "@dari/workspace";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openWorkspaceFixture } from "./workspace-fixture.ts";

const fixture = await openWorkspaceFixture();
afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
});
const { db, blobs } = fixture;

const write = (path: string, text: string) => (dir: string) => writeFileSync(join(dir, "workspace", path), text);
const read = (dir: string, path: string): string => readFileSync(join(dir, "workspace", path), "utf8");

async function objectOf(snapshotId: string): Promise<string> {
  const { rows } = await db.pool.query<{ key: string }>("select object_key as key from dari.snapshots where id = $1", [
    snapshotId,
  ]);
  return rows[0]?.key ?? "";
}

async function damage(snapshotId: string, how: "missing" | "cut" | "altered"): Promise<void> {
  const key = await objectOf(snapshotId);
  const bytes = await blobs.read(key);
  if (how === "missing") return await blobs.delete([key]);
  const altered = Buffer.from(bytes);
  altered[bytes.length - 2] = (altered[bytes.length - 2] ?? 0) ^ 1;
  await blobs.put(key, how === "cut" ? bytes.subarray(0, bytes.length - 2) : altered);
}

async function eventsOf(sessionId: string): Promise<unknown[]> {
  const { rows } = await db.pool.query<{ data: unknown }>(
    "select data from dari.events where session_id = $1 and type = 'workspace.restored_from_older'",
    [sessionId],
  );
  return rows.map((row) => row.data);
}

describe.each(["auto", "copy"] as const)("with disks of kind %s", (kind) => {
  test.each(["missing", "cut", "altered"] as const)("a head that is %s falls back to the one before", async (how) => {
    const sessionId = await fixture.newSession();
    const worker = await fixture.newWorker(kind);
    await fixture.turn(worker, sessionId, write("a", "first"));
    const good = await fixture.headOf(sessionId);
    await fixture.turn(worker, sessionId, write("a", "second"));
    const bad = await fixture.headOf(sessionId);
    await damage(bad, how);

    // The worker that ran the turn still has it, so nothing is lost.
    const kept = await fixture.turn(worker, sessionId, () => {}, "failed");
    expect([kept.opened.restoredFrom, kept.opened.disk.isWarm]).toEqual([undefined, true]);

    const seen: string[] = [];
    const { opened, saved } = await fixture.turn(await fixture.newWorker(kind), sessionId, (dir) => {
      seen.push(read(dir, "a"));
      write("b", "third")(dir);
    });
    expect(seen).toEqual(["first"]);
    expect(opened.restoredFrom).toBe(good);
    expect(saved.snapshot).toMatchObject({ parentId: bad, isFull: true });
    expect(saved.filesChanged.map(({ path }) => path)).toEqual(["/b"]);
    expect(await eventsOf(sessionId)).toMatchObject([{ snapshot_id: good, damaged_snapshot_id: bad }]);

    // What was built on it is independent, on any worker.
    const again = await fixture.turn(await fixture.newWorker(kind), sessionId, (dir) => {
      expect([read(dir, "a"), read(dir, "b")]).toEqual(["first", "third"]);
    });
    expect(again.opened.restoredFrom).toBeUndefined();
    expect(await findViolations(db)).toEqual([]);
  });

  test.each(["missing", "cut", "altered"] as const)("a message that waits over a head that is %s", async (how) => {
    const sessionId = await fixture.newSession();
    const worker = await fixture.newWorker(kind);
    await fixture.turn(worker, sessionId, write("a", "first"));
    await fixture.turn(worker, sessionId, (dir) => {
      write("a", "second")(dir);
      write("bulk", randomBytes(100_000).toString("hex"))(dir);
    });
    const bad = await fixture.headOf(sessionId);
    await damage(bad, how);
    // One worker that has cached the head's tree, and one that reads it.
    for (const next of [worker, await fixture.newWorker(kind)]) {
      const asking = await fixture.newWorker(kind);
      const { messageId } = await fixture.turn(asking, sessionId, write("b", "asked"), "suspended");
      const { saved } = await fixture.goOn(
        next,
        messageId,
        (dir) => {
          expect([read(dir, "a"), read(dir, "b")]).toEqual(["first", "asked"]);
          write("c", "answered")(dir);
        },
        "failed",
      );
      expect(saved.snapshot).toMatchObject({ parentId: bad, isFull: true });
      expect(saved.filesChanged.map(({ path }) => path)).toEqual(expect.arrayContaining(["/b", "/c"]));
    }
    // The waiting attempt was intact: only attempts that began at the head have found it damaged.
    for (const event of await eventsOf(sessionId)) expect(event).toMatchObject({ damaged_snapshot_id: bad });
    const asking = await fixture.newWorker(kind);
    const { messageId } = await fixture.turn(asking, sessionId, write("b", "asked"), "suspended");
    await fixture.goOn(worker, messageId, write("c", "answered"));
    const after = await fixture.turn(await fixture.newWorker(kind), sessionId, (dir) => {
      expect([read(dir, "a"), read(dir, "b"), read(dir, "c")]).toEqual(["first", "asked", "answered"]);
    });
    expect(after.opened.restoredFrom).toBeUndefined();
  });

  test("a head that is damaged while a message waits is named, and what was built on it starts again", async () => {
    const sessionId = await fixture.newSession();
    const worker = await fixture.newWorker(kind);
    await fixture.turn(worker, sessionId, write("a", "first"));
    const good = await fixture.headOf(sessionId);
    await fixture.turn(worker, sessionId, write("a", "second"));
    const bad = await fixture.headOf(sessionId);
    const { messageId } = await fixture.turn(worker, sessionId, write("b", "asked"), "suspended");
    await damage(bad, "cut");
    await fixture.goOn(await fixture.newWorker(kind), messageId, (dir) => expect(read(dir, "a")).toBe("first"));
    expect(await eventsOf(sessionId)).toMatchObject([{ snapshot_id: good, damaged_snapshot_id: bad }]);
  });

  test("a turn that changes nothing on an older snapshot is stored anyway", async () => {
    const sessionId = await fixture.newSession();
    const worker = await fixture.newWorker(kind);
    await fixture.turn(worker, sessionId, write("a", "first"));
    await fixture.turn(worker, sessionId, write("a", "second"));
    await damage(await fixture.headOf(sessionId), "missing");
    const idle = await fixture.turn(await fixture.newWorker(kind), sessionId, () => {});
    expect(idle.saved.snapshot.objectKey).not.toBeNull();
    const next = await fixture.turn(await fixture.newWorker(kind), sessionId, (dir) => {
      expect(read(dir, "a")).toBe("first");
    });
    expect(next.opened.restoredFrom).toBeUndefined();
  });

  test("without any intact snapshot there is no disk", async () => {
    const sessionId = await fixture.newSession();
    await fixture.turn(await fixture.newWorker(kind), sessionId, write("a", "only"));
    await damage(await fixture.headOf(sessionId), "cut");
    const turn = fixture.turn(await fixture.newWorker(kind), sessionId, () => {});
    await expect(turn).rejects.toThrow(SnapshotDamagedError);
    expect(await eventsOf(sessionId)).toEqual([]);
  });
});

test("an organization's own limits apply within the platform's", async () => {
  const sessionId = await fixture.newSession();
  const worker = await fixture.newWorker();
  await db.pool.query(
    "update dari.organizations set max_workspace_files = 2, max_workspace_file_bytes = 10 where id = $1",
    [fixture.organizationId],
  );
  await expect(fixture.turn(worker, sessionId, write("a", "0123456789x"))).rejects.toMatchObject({
    limit: "file_bytes",
  });
  await db.pool.query("update dari.organizations set max_workspace_files = null, max_workspace_file_bytes = null");
});
