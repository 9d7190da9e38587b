// What a snapshot stores, its cost, and the result of a chain.

import { afterAll, expect, test } from "@jest/globals";
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import {
  diff,
  emptyTree,
  loadTree,
  readFile,
  restore,
  save,
  scan,
  addFileToTree,
  removePathFromTree,
} from "../src/index.ts";
import type { Tree } from "../src/index.ts";
import { counting, openFixture, picture, saveDir, writeFiles } from "./fixture.ts";

const MiB = 1024 * 1024;
const fixture = openFixture();
const { store } = fixture;
afterAll(() => fixture[Symbol.dispose]());

async function restored(tree: Tree): Promise<string> {
  const dir = fixture.fresh();
  await restore({ store, tree, dir });
  return dir;
}

test("keeps modes, symlinks, empty directories, empty files and any name", async () => {
  const dir = fixture.fresh();
  writeFiles(dir, {
    "workspace/run.sh": "#!/bin/sh\n",
    "workspace/empty": "",
    "workspace/käse/日本 😀\n\\": "x",
    "state/memory.json": "{}",
  });
  mkdirSync(join(dir, "workspace/hollow/inner"), { recursive: true });
  chmodSync(join(dir, "workspace/run.sh"), 0o4755);
  chmodSync(join(dir, "workspace/hollow"), 0o1700);
  symlinkSync("../../../etc/passwd", join(dir, "workspace/out"));
  symlinkSync("hollow", join(dir, "workspace/in"));
  const { tree } = await saveDir(fixture, dir, emptyTree);
  expect(tree.get("workspace/run.sh")?.mode).toBe(0o755);
  expect(tree.get("workspace/hollow")?.mode).toBe(0o700);
  expect(tree.get("workspace/out")).toMatchObject({ type: "symlink", target: "../../../etc/passwd" });
  expect(picture(await restored(tree))).toEqual(picture(dir));
});

test("an edit of one byte in a 40 MiB file stores one chunk", async () => {
  const dir = fixture.fresh();
  writeFiles(dir, { "workspace/large.bin": randomBytes(40 * MiB) });
  const first = await saveDir(fixture, dir, emptyTree);
  expect(first.sizeBytes).toBeGreaterThan(40 * MiB);
  const fd = openSync(join(dir, "workspace/large.bin"), "r+");
  writeSync(fd, Buffer.from("!"), 0, 1, 17 * MiB);
  closeSync(fd);
  const second = await saveDir(fixture, dir, first.tree);
  expect(second.sizeBytes).toBeLessThan(5 * MiB);
  expect(second.references.map(({ objectKey }) => objectKey)).toEqual([first.objectKey]);
  const tree = await loadTree(store, [first, second]);
  const edited = readFileSync(join(dir, "workspace/large.bin"));
  expect(readFileSync(join(await restored(tree), "workspace/large.bin")).equals(edited)).toBe(true);

  const entry = tree.get("workspace/large.bin");
  if (entry === undefined) throw new Error("the file is gone");
  const counted = counting(store);
  const range = { start: 17 * MiB - 5, end: 17 * MiB + 5 };
  expect(await buffer(await readFile(counted, entry, range))).toEqual(edited.subarray(range.start, range.end + 1));
  expect(counted.bytes).toBeLessThan(5 * MiB);
});

// 98 MB go to a store and back, which is slow on a busy machine.
test("a pack above the memory limit goes through a file, and equal chunks are stored once", async () => {
  const dir = fixture.fresh();
  const block = randomBytes(4 * MiB);
  writeFiles(dir, { "workspace/noise": randomBytes(90 * MiB), "workspace/same": Buffer.concat(Array(6).fill(block)) });
  const saved = await saveDir(fixture, dir, emptyTree);
  expect(saved.sizeBytes).toBeLessThan(96 * MiB);
  const copy = await restored(await loadTree(store, [saved]));
  for (const name of ["workspace/noise", "workspace/same"]) {
    expect(readFileSync(join(copy, name)).equals(readFileSync(join(dir, name)))).toBe(true);
  }
}, 240_000);

test("a rename and a copy store no content again", async () => {
  const dir = fixture.fresh();
  const content = randomBytes(3 * MiB);
  writeFiles(dir, { "workspace/a": content });
  const first = await saveDir(fixture, dir, emptyTree);
  rmSync(join(dir, "workspace/a"));
  writeFiles(dir, { "workspace/b": content, "workspace/c": content });
  const second = await saveDir(fixture, dir, first.tree);
  expect(second.sizeBytes).toBeLessThan(1024);
  expect(diff(first.tree, second.tree).map(({ path, change }) => `${change} ${path}`)).toEqual([
    "deleted workspace/a",
    "created workspace/b",
    "created workspace/c",
  ]);
  expect(picture(await restored(second.tree))).toEqual(picture(dir));
});

test("reading one of 2,000 small files reads a frame, not the pack", async () => {
  const dir = fixture.fresh();
  const files = Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`workspace/f${i}`, randomBytes(2_000)]));
  writeFiles(dir, files);
  const { tree, objectKey } = await saveDir(fixture, dir, emptyTree);
  const counted = counting(store);
  const entry = (await loadTree(counted, [{ objectKey }])).get("workspace/f1234");
  if (entry === undefined) throw new Error("the file is gone");
  Object.assign(counted, { requests: 0, bytes: 0 });
  expect(await buffer(await readFile(counted, entry))).toEqual(files["workspace/f1234"]);
  expect(counted).toMatchObject({ requests: 1 });
  expect(counted.bytes).toBeLessThan(300 * 1024);

  Object.assign(counted, { requests: 0 });
  await restore({ store: counted, tree, dir: fixture.fresh() });
  expect(counted.requests).toBeLessThan(4);
});

test("a full manifest after many turns gives the identical tree from one object", async () => {
  const dir = fixture.fresh();
  writeFiles(dir, { "workspace/base": randomBytes(2 * MiB) });
  const first = await saveDir(fixture, dir, emptyTree);
  const chain = [first];
  for (let turn = 1; turn <= 16; turn++) {
    writeFiles(dir, { [`workspace/t${turn}`]: `turn ${turn}`, "workspace/log": "x".repeat(turn) });
    if (turn > 5) rmSync(join(dir, `workspace/t${turn - 5}`));
    chain.push(await saveDir(fixture, dir, chain.at(-1)?.tree ?? emptyTree));
  }
  const long = await loadTree(store, chain);
  const full = await saveDir(fixture, dir, long, true);
  expect(full.sizeBytes).toBeLessThan(4096);
  expect(full.treeHash).toBe(chain.at(-1)?.treeHash);
  const short = await loadTree(store, [full]);
  expect(short).toEqual(long);
  expect(await loadTree(store, [...chain, full])).toEqual(long);
  expect(picture(await restored(short))).toEqual(picture(dir));
  // Objects without contents of the tree can be deleted.
  const kept = new Set(full.references.map(({ objectKey }) => objectKey));
  await store.delete(chain.map(({ objectKey }) => objectKey).filter((key) => !kept.has(key)));
  expect(picture(await restored(await loadTree(store, [full])))).toEqual(picture(dir));
});

test("a save is one put, and a failed one leaves nothing visible", async () => {
  const dir = fixture.fresh();
  writeFiles(dir, { "workspace/a": "one", "workspace/b": "two" });
  const { tree } = await scan(dir);
  let puts = 0;
  const counted = { ...store, put: (...args: Parameters<typeof store.put>) => (puts++, store.put(...args)) };
  await save({ store: counted, keyPrefix: "puts/", dir, before: emptyTree, after: tree });
  expect(puts).toBe(1);
  writeFileSync(join(dir, "workspace/a"), "eno");
  const failing = save({ store: counted, keyPrefix: "failed", dir, before: emptyTree, after: tree });
  await expect(failing).rejects.toThrow("workspace/a changed while the workspace was read");
  for await (const found of store.list("failed")) throw new Error(`${found.key} was left`);
});

test("a client's write and delete are saved without the rest of the directory", async () => {
  const dir = fixture.fresh();
  writeFiles(dir, { "workspace/keep/me": "kept", "workspace/drop/me": "dropped" });
  const first = await saveDir(fixture, dir, emptyTree);
  const upload = fixture.fresh();
  writeFiles(upload, { "workspace/new/deep/file": "written" });
  const sha256 = createHash("sha256").update("written").digest("hex");
  const written = addFileToTree(first.tree, { path: "workspace/new/deep/file", mode: 0o644, sizeBytes: 7, sha256 });
  const after = removePathFromTree(written, "workspace/drop") ?? written;
  const second = await save({ store, keyPrefix: "edit", dir: upload, before: first.tree, after });
  const copy = await restored(await loadTree(store, [first, second]));
  expect(
    picture(copy)
      .filter((line) => line.includes(" 644 "))
      .map((line) => line.split(" ")[0]),
  ).toEqual(["workspace/keep/me", "workspace/new/deep/file"]);
});
