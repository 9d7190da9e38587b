// A suspended message continues from its side snapshot, and changes its session's head once, compared with where it
// began.

import { afterAll, describe, expect, test } from "@jest/globals";
import { findViolations, turns } from "@dari/db";
import { newId } from "@dari/domain";
import { createTestFile } from "@dari/testkit";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { openWorkspaceFixture } from "./workspace-fixture.ts";

const fixture = await openWorkspaceFixture();
afterAll(async () => {
  expect(await findViolations(fixture.db)).toEqual([]);
  await fixture[Symbol.asyncDispose]();
});

/** Sends a message with an upload for this path. */
async function sendFile(sessionId: string, path: string): Promise<string> {
  const { db, blobs, organizationId } = fixture;
  const fileId = await createTestFile(db, organizationId);
  await blobs.put(`${organizationId}/files/${fileId}`, Buffer.from(""));
  const messageId = newId("message");
  await turns.acceptMessage(db, {
    organizationId,
    sessionId,
    messageId,
    parts: [{ type: "file", file_id: fileId, path }],
    metadata: {},
    attachments: [{ path, fileId }],
    dispatchTtlMs: 60_000,
  });
  return messageId;
}

const fileIn = (dir: string, path: string): string => join(dir, "workspace", path);
const write = (dir: string, path: string, text: string): void => writeFileSync(fileIn(dir, path), text);
const read = (dir: string, path: string): string => readFileSync(fileIn(dir, path), "utf8");

describe.each(["auto", "copy"] as const)("with disks of kind %s", (kind) => {
  test("twice suspended, each time on another worker: all changes are one step from the head", async () => {
    const sessionId = await fixture.newSession();
    await fixture.turn(await fixture.newWorker(kind), sessionId, (dir) => {
      for (const path of ["changed", "deleted", "kept", "restored"]) write(dir, path, path);
    });
    const head = await fixture.headOf(sessionId);
    const first = await fixture.turn(
      await fixture.newWorker(kind),
      sessionId,
      (dir) => {
        write(dir, "changed", "by the first");
        write(dir, "restored", "for a while");
        rmSync(fileIn(dir, "deleted"));
        write(dir, "made", "by the first");
      },
      "suspended",
    );
    expect(await fixture.headOf(sessionId)).toBe(head);
    const { messageId } = first;
    const second = await fixture.goOn(
      await fixture.newWorker(kind),
      messageId,
      (dir) => {
        expect([read(dir, "changed"), read(dir, "made"), existsSync(fileIn(dir, "deleted"))]).toEqual([
          "by the first",
          "by the first",
          false,
        ]);
        write(dir, "made", "by the second");
        write(dir, "restored", "restored");
      },
      "suspended",
    );
    expect(second.saved.snapshot.parentId).toBe(head);
    const last = await fixture.goOn(await fixture.newWorker(kind), messageId, (dir) => {
      expect(read(dir, "made")).toBe("by the second");
      write(dir, "last", "x");
    });
    expect(last.saved.snapshot.parentId).toBe(head);
    expect(last.saved.filesChanged.map(({ path, change }) => `${change} ${path}`)).toEqual([
      "modified /changed",
      "deleted /deleted",
      "created /last",
      "created /made",
    ]);
    await fixture.turn(await fixture.newWorker(kind), sessionId, (dir) => {
      const paths = ["changed", "kept", "last", "made", "restored"];
      const texts = ["by the first", "kept", "x", "by the second", "restored"];
      expect(paths.map((path) => read(dir, path))).toEqual(texts);
    });
  });

  test("the worker that it was suspended on reads nothing from the store", async () => {
    const sessionId = await fixture.newSession();
    const worker = await fixture.newWorker(kind);
    await fixture.turn(worker, sessionId, (dir) => write(dir, "a", "before"));
    const { messageId } = await fixture.turn(worker, sessionId, (dir) => write(dir, "a", "asked"), "suspended");
    const { opened } = await fixture.goOn(worker, messageId, (dir) => expect(read(dir, "a")).toBe("asked"));
    expect(opened.disk.isWarm).toBe(true);
  });

  test("in a session without a head, and with nothing changed", async () => {
    const sessionId = await fixture.newSession();
    const { messageId } = await fixture.turn(await fixture.newWorker(kind), sessionId, () => {}, "suspended");
    const { saved } = await fixture.goOn(await fixture.newWorker(kind), messageId, (dir) => write(dir, "a", "x"));
    expect([saved.snapshot.parentId, saved.filesChanged]).toMatchObject([null, [{ path: "/a", change: "created" }]]);
  });

  test("an upload that got another name keeps it, and no run of the message counts it as changed", async () => {
    const sessionId = await fixture.newSession();
    await fixture.turn(await fixture.newWorker(kind), sessionId, (dir) => {
      mkdirSync(fileIn(dir, "input"));
      write(dir, "input/notes.txt", "the agent's own");
      // Placing the upload makes it writable, which is not a change of the message.
      chmodSync(fileIn(dir, "input"), 0o500);
    });
    const messageId = await sendFile(sessionId, "/input/notes.txt");
    // A worker whose files no other user can read.
    const umask = process.umask(0o077);
    const first = await fixture
      .play(await fixture.newWorker(kind), messageId, () => {}, "suspended")
      .finally(() => process.umask(umask));
    expect(first.opened.parts).toMatchObject([{ path: "/input/notes-2.txt" }]);
    const second = await fixture.goOn(await fixture.newWorker(kind), messageId, () => {}, "suspended");
    const last = await fixture.goOn(await fixture.newWorker(kind), messageId, () => {});
    expect([second.opened.parts, last.opened.parts]).toEqual([first.opened.parts, first.opened.parts]);
    expect(last.saved.filesChanged).toEqual([]);
  });

  test("an upload is placed in its folder, and never where a link of the workspace leads", async () => {
    const outside = mkdtempSync(join(fixture.top, "outside-"));
    mkdirSync(join(outside, "there"));
    const sessionId = await fixture.newSession();
    const worker = await fixture.newWorker(kind);
    await fixture.turn(worker, sessionId, (dir) => symlinkSync(outside, fileIn(dir, "link")));
    for (const folder of ["there", "new"]) {
      const messageId = await sendFile(sessionId, `/link/${folder}/evil`);
      const { opened } = await fixture.play(worker, messageId, () => undefined);
      expect(opened.placed).toMatchObject([{ path: expect.stringMatching(/^workspace\/input\/evil(-2)?$/) }]);
    }
    expect(readdirSync(outside, { recursive: true })).toEqual(["there"]);
  });

  test("if its side snapshot is gone, it starts at the head again, and an event says so", async () => {
    const { db, blobs } = fixture;
    const sessionId = await fixture.newSession();
    await fixture.turn(await fixture.newWorker(kind), sessionId, (dir) => write(dir, "a", "before"));
    const head = await fixture.headOf(sessionId);
    const worker = await fixture.newWorker(kind);
    const { messageId, saved } = await fixture.turn(worker, sessionId, (dir) => write(dir, "a", "asked"), "suspended");
    await blobs.delete([saved.snapshot.objectKey ?? ""]);
    const last = await fixture.goOn(await fixture.newWorker(kind), messageId, (dir) => {
      expect(read(dir, "a")).toBe("before");
      write(dir, "b", "x");
    });
    expect(last.saved.filesChanged.map(({ path }) => path)).toEqual(["/b"]);
    const { rows } = await db.pool.query<{ data: unknown }>(
      "select data from dari.events where session_id = $1 and type = 'workspace.restored_from_older'",
      [sessionId],
    );
    expect(rows).toMatchObject([{ data: { snapshot_id: head, damaged_snapshot_id: saved.snapshot.id } }]);
  });
});
