// What a scan sees, ignores and refuses.

import { afterAll, afterEach, expect, test } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readdirSync, renameSync, symlinkSync } from "node:fs";
import { utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defaultWorkspaceLimits, diff, emptyTree, restore, save, scan, WorkspaceLimitError } from "../src/index.ts";
import type { Tree, TreeEntry } from "../src/index.ts";
import { openFixture, picture, saveDir, writeFiles } from "./fixture.ts";

const fixture = openFixture();
afterAll(() => fixture[Symbol.dispose]());

test("same-size edits in the tick of the base scan are found", async () => {
  const dir = fixture.fresh();
  writeFiles(dir, { "workspace/f": "000000" });
  let base = await scan(dir);
  for (let i = 1; i <= 300; i++) {
    const { atime, mtime } = lstatSync(join(dir, "workspace/f"));
    writeFileSync(join(dir, "workspace/f"), String(i).padStart(6, "0"));
    utimesSync(join(dir, "workspace/f"), atime, mtime);
    const next = await scan(dir, { base });
    expect(diff(base.tree, next.tree)).toHaveLength(1);
    base = next;
  }
});

function entryAt(tree: Tree, path: string): TreeEntry {
  const entry = tree.get(path);
  if (entry === undefined) throw new Error(`${path} is not there`);
  return entry;
}

test("a file whose times did not step is read again when they are of the base scan's tick", async () => {
  const dir = fixture.fresh();
  writeFiles(dir, { "workspace/f": "before" });
  const before = await scan(dir);
  writeFileSync(join(dir, "workspace/f"), "after!");
  // Simulates a coarse clock: the base saw the same times that the file has now.
  const stat = lstatSync(join(dir, "workspace/f"));
  const seen = { stat, entry: entryAt(before.tree, "workspace/f") };
  const frozen = (takenAtMs: number) => ({ ...before, seen: new Map([["workspace/f", seen]]), takenAtMs });
  expect((await scan(dir, { base: frozen(stat.ctimeMs) })).tree).not.toEqual(before.tree);
  expect((await scan(dir, { base: frozen(stat.ctimeMs + 0.001) })).tree).toEqual(before.tree);
  expect(before.takenAtMs).toBeLessThan(Date.now() - 10);
});

test("files that did not change are not read again, also after a restore", async () => {
  const dir = fixture.fresh();
  writeFiles(dir, { "workspace/a": "a", "workspace/b": "bb", "state/c": "" });
  for (const name of ["workspace/a", "workspace/b"]) utimesSync(join(dir, name), 1, 1);
  const saved = await saveDir(fixture, dir, emptyTree);
  const copy = fixture.fresh();
  await restore({ store: fixture.store, tree: saved.tree, dir: copy });
  writeFiles(copy, { "workspace/input/x": "placed" });
  const base = await scan(copy, { restored: saved.tree });
  expect(base.filesHashed).toBe(1);
  expect(diff(saved.tree, base.tree).map(({ path }) => path)).toEqual(["workspace/input", "workspace/input/x"]);

  const later = { ...base, takenAtMs: base.takenAtMs + 60_000 };
  expect((await scan(copy, { base: later })).filesHashed).toBe(0);
  renameSync(join(copy, "workspace/a"), join(copy, "workspace/z"));
  chmodSync(join(copy, "workspace/b"), 0o600);
  const edited = await scan(copy, { base: later });
  expect(edited.filesHashed).toBe(2);
  expect(diff(base.tree, edited.tree)).toEqual([
    { path: "workspace/a", change: "deleted", type: "file", sizeBytes: null },
    { path: "workspace/b", change: "modified", type: "file", sizeBytes: 2 },
    { path: "workspace/z", change: "created", type: "file", sizeBytes: 1 },
  ]);
});

test("a change of type is a modification, and directories are listed", async () => {
  const dir = fixture.fresh();
  writeFiles(dir, { "workspace/x": "file" });
  const before = await scan(dir);
  execFileSync("rm", [join(dir, "workspace/x")]);
  mkdirSync(join(dir, "workspace/x"));
  const middle = await scan(dir, { base: before });
  expect(diff(before.tree, middle.tree)).toEqual([
    { path: "workspace/x", change: "modified", type: "directory", sizeBytes: null },
  ]);
  execFileSync("rmdir", [join(dir, "workspace/x")]);
  symlinkSync("/", join(dir, "workspace/x"));
  const after = await scan(dir, { base: middle });
  expect(diff(middle.tree, after.tree)).toMatchObject([{ change: "modified", type: "symlink" }]);
  expect(after.tree.size).toBe(1);
});

test("special files and what is not UTF-8 are ignored and reported", async () => {
  const dir = fixture.fresh();
  writeFiles(dir, { "workspace/good\ufffd": "kept", "workspace/sub/ok": "kept" });
  execFileSync("mkfifo", [join(dir, "workspace/pipe")]);
  writeFileSync(Buffer.concat([Buffer.from(join(dir, "workspace/sub/")), Buffer.from([0xff, 0x61])]), "lost");
  symlinkSync(Buffer.from([0x61, 0xfe]), join(dir, "workspace/link"));
  const { tree, ignored } = await scan(dir);
  expect([...tree.keys()]).toEqual(["workspace/good\ufffd", "workspace/sub", "workspace/sub/ok"]);
  expect(ignored.toSorted((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
    { path: "workspace/link", reason: "target_not_utf8" },
    { path: "workspace/pipe", reason: "special_file" },
    { path: "workspace/sub/\ufffda", reason: "name_not_utf8" },
  ]);
});

test("roots that are missing are empty, and one that is a symlink is not followed", async () => {
  const dir = fixture.fresh();
  mkdirSync(dir);
  expect((await scan(dir)).tree.size).toBe(0);
  symlinkSync("/etc", join(dir, "workspace"));
  const { tree, ignored } = await scan(dir);
  expect(ignored).toEqual([{ path: "workspace", reason: "root_not_a_directory" }]);
  expect(tree.size).toBe(0);
});

test.each([
  ["files", { files: 3 }, "the workspace exceeds the limit of 3 files and directories"],
  ["bytes", { bytes: 11 }, "the workspace exceeds the limit of 11 bytes"],
  ["file_bytes", { fileBytes: 9 }, 'the file "workspace/d/ten" has 10 bytes; the limit is 9 bytes per file'],
  ["path_bytes", { pathBytes: 14 }, 'the path "workspace/däöü" exceeds the limit of 14 bytes'],
])("limit %s", async (limit, bound, message) => {
  const dir = fixture.fresh();
  writeFiles(dir, { "workspace/d/ten": "x".repeat(10), "workspace/two": "xx" });
  if (limit === "path_bytes") writeFiles(dir, { "workspace/däöü": "" });
  if (limit === "files") writeFiles(dir, { "workspace/three": "", "state/four": "" });
  const scanning = scan(dir, { limits: { ...defaultWorkspaceLimits, ...bound } });
  await expect(scanning).rejects.toThrow(WorkspaceLimitError);
  await expect(scanning).rejects.toMatchObject({ limit, message });
});

test("a path deeper than the system names is a limit, not a crash", async () => {
  const dir = fixture.fresh();
  writeFiles(dir, {});
  const dig = `i=0; while [ $i -lt 30 ]; do mkdir $0 && cd $0 2>/dev/null || break; i=$((i+1)); done`;
  execFileSync("sh", ["-c", dig, "d".repeat(200)], { cwd: join(dir, "workspace") });
  const unlimited = { ...defaultWorkspaceLimits, pathBytes: 1_000_000 };
  for (const limits of [defaultWorkspaceLimits, unlimited]) {
    await expect(scan(dir, { limits })).rejects.toMatchObject({ limit: "path_bytes" });
  }
});

const nobody = 65534;
afterEach(() => {
  if (process.geteuid?.() === nobody) process.seteuid?.(0);
});

test("what the agent locked is read by its owner, and stays locked", async () => {
  await fixture.store.check();
  const dir = fixture.fresh();
  writeFiles(dir, { "workspace/locked/deep/f": "secret", "workspace/plain": "x", "state/s": "y" });
  const restoredDir = fixture.fresh();
  mkdirSync(restoredDir);
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) {
    // And the store, if it is a folder.
    const places = [dir, restoredDir, join(fixture.top, "store")].filter((place) => existsSync(place));
    execFileSync("chown", ["-R", String(nobody), ...places]);
    chownSync(fixture.top, nobody, nobody);
    process.seteuid?.(nobody);
  }
  chmodSync(join(dir, "workspace/locked/deep/f"), 0);
  chmodSync(join(dir, "workspace/locked/deep"), 0);
  chmodSync(join(dir, "workspace/locked"), 0o200);
  chmodSync(join(dir, "workspace"), 0o100);
  const base = await scan(dir);
  expect(base.tree.get("workspace/locked")?.mode).toBe(0o200);
  const { tree } = await save({ store: fixture.store, keyPrefix: "s", dir, before: emptyTree, after: base.tree });
  expect(() => readdirSync(join(dir, "workspace"))).toThrow("EACCES");
  const again = await scan(dir, { base });
  expect(again.tree).toEqual(base.tree);
  await restore({ store: fixture.store, tree, dir: restoredDir });
  expect((await scan(restoredDir)).tree).toEqual(base.tree);
  expect(() => readdirSync(join(restoredDir, "workspace/locked"))).toThrow("EACCES");
  if (isRoot) process.seteuid?.(0);
  chmodSync(join(dir, "workspace"), 0o755);
  expect(picture(restoredDir).filter((line) => !line.startsWith("workspace "))).toEqual(
    picture(dir).filter((line) => !line.startsWith("workspace ")),
  );
});
