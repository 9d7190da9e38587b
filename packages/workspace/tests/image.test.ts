// Large trees from an image: mounted below, the same disk as from the packs, and the packs where it fails.

import { afterAll, expect, test } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  checkSnapshotObject,
  defaultWorkspaceLimits as limits,
  emptyTree,
  loadTree,
  openDisks,
  rewrite,
  save,
  scan,
  SnapshotDamagedError,
  sweepMounts,
  treeHash,
  type Disk,
  type Disks,
  type Tree,
} from "../src/index.ts";
import { parseManifest } from "../src/manifest-parse.ts";
import { counting, openFixture, picture, saveDir, writeFiles } from "./fixture.ts";

const fixture = openFixture();
const opened: Disks[] = [];
afterAll(async () => {
  for (const disks of opened) await disks.close();
  await sweepMounts(fixture.top);
  fixture[Symbol.dispose]();
});

async function open(kind: "auto" | "overlay" | "copy", dir = fixture.fresh()): Promise<Disks> {
  const disks = await openDisks({ dir, maxBytes: 1024 ** 3, kind });
  opened.push(disks);
  return disks;
}

const store = counting(fixture.store);
/** Images are tested where this process may mount them and has the tools. */
const hasTools = spawnSync("mksquashfs", ["-version"], { stdio: "ignore" }).error === undefined;
const testImage = hasTools && (await open("auto")).kind === "overlay" ? test : test.skip;

const source = fixture.fresh();
writeFiles(source, Object.fromEntries(Array.from({ length: 2_100 }, (_, i) => [nameOf(i), `content ${i}`])));
mkdirSync(join(source, "workspace/empty"));
symlinkSync("../../../etc/passwd", join(source, "workspace/link"));
chmodSync(join(source, nameOf(0)), 0o755);
chmodSync(join(source, nameOf(1)), 0o400);
chmodSync(join(source, "workspace/empty"), 0o555);
const saved = await saveDir(fixture, source, emptyTree);
const cut = await rewrite({ store, keyPrefix: "s", tree: saved.tree, repack: new Set() });
const imageKey = cut.references.find(({ objectKey }) => objectKey.endsWith(".squashfs"))?.objectKey ?? "";

function nameOf(i: number): string {
  return `workspace/folder-${i % 70}/file-${i}.txt`;
}

const openTree = (disks: Disks, tree: Tree): Promise<Disk> =>
  disks.open({ store, organizationId: "org_a", tree, dir: fixture.fresh(), limits });

const mountsBelow = (dir: string): number =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(` ${dir}/`)).length;

testImage(
  "a large tree is fetched as its image, which is kept with the snapshot and unmounted at the end",
  async () => {
    const dir = fixture.fresh();
    const disks = await open("overlay", dir);
    const tree = await loadTree(store, [cut]);
    store.requests = 0;
    const disk = await openTree(disks, tree);
    expect({ requests: store.requests, isWarm: disk.isWarm }).toEqual({ requests: 1, isWarm: false });
    expect(picture(disk.dir)).toEqual(picture(source));
    expect(treeHash((await disk.scan()).tree)).toBe(saved.treeHash);
    await disk.close();
    expect(mountsBelow(dir)).toBe(1);
    expect((await openTree(disks, tree)).isWarm).toBe(true);
    await disks.close();
  },
);

testImage("what was changed since lies over the image: contents, modes, types, deletions", async () => {
  const edited = await open("copy");
  const disk = await openTree(edited, saved.tree);
  const at = (path: string): string => join(disk.dir, "workspace", path);
  writeFileSync(at("folder-0/file-0.txt"), "changed");
  chmodSync(at("folder-1/file-1.txt"), 0o640);
  rmSync(at("folder-2/file-2.txt"));
  rmSync(at("folder-3"), { recursive: true });
  rmSync(at("folder-4"), { recursive: true });
  writeFileSync(at("folder-4"), "a file now");
  rmSync(at("link"));
  mkdirSync(at("link/with/more"), { recursive: true });
  writeFileSync(at("link/with/it's a\nname"), "n");
  renameSync(at("folder-5"), at("folder-5-moved"));
  rmSync(at("folder-6"), { recursive: true });
  mkdirSync(at("folder-6"));
  writeFileSync(at("folder-6/new"), "new");
  const { tree: after } = await disk.scan();
  const next = await save({ store, keyPrefix: "s", dir: disk.dir, before: saved.tree, after });

  const disks = await open("overlay");
  const tree = await loadTree(store, [cut, next]);
  const found = await openTree(disks, tree);
  expect(picture(found.dir)).toEqual(picture(disk.dir));
  expect(treeHash((await scan(found.dir)).tree)).toBe(next.treeHash);
  // The base of the image is there, too: whoever goes back finds it warm.
  expect((await openTree(disks, saved.tree)).isWarm).toBe(true);
  writeFileSync(join(found.dir, "workspace/turn"), "t");
  const { tree: now } = await found.scan();
  const kept = await save({ store, keyPrefix: "s", dir: found.dir, before: tree, after: now });
  await found.keep(kept.tree);
  const again = await openTree(disks, kept.tree);
  expect(again.isWarm).toBe(true);
  expect(treeHash((await scan(again.dir)).tree)).toBe(kept.treeHash);
});

testImage("a damaged or missing image costs time and nothing else, and a check finds it", async () => {
  await checkSnapshotObject(store, cut.objectKey);
  await checkSnapshotObject(store, imageKey);
  const bytes = await fixture.store.read(imageKey);
  const altered = Buffer.from(bytes);
  altered.writeUInt8(altered.readUInt8(5_000) ^ 1, 5_000);
  for (const content of [altered, bytes.subarray(0, bytes.length - 1), undefined]) {
    if (content === undefined) await fixture.store.delete([imageKey]);
    else await fixture.store.put(imageKey, content);
    const disks = await open("overlay");
    const disk = await openTree(disks, await loadTree(store, [cut]));
    expect(picture(disk.dir)).toEqual(picture(source));
    await expect(checkSnapshotObject(store, cut.objectKey)).rejects.toThrow(SnapshotDamagedError);
  }
  await fixture.store.put(imageKey, bytes);
});

test("a manifest's image is checked, and one of another kind is passed over", () => {
  const hash = "0".repeat(64);
  const parse = (image: unknown): unknown => {
    const lists = { objects: [], frames: [], entries: [], deleted: [] };
    const json = JSON.stringify({ kind: "full", base: null, tree: hash, image, ...lists });
    return parseManifest(json, { objectKey: "k", packStart: 64, packBytes: 0 }).image;
  };
  expect(parse(["squashfs", "o/i", 5, [hash]])).toEqual({ objectKey: "o/i", sizeBytes: 5, chunks: [hash] });
  expect(parse(["another", 1])).toBeUndefined();
  for (const bad of [{}, ["squashfs", "../i", 5, [hash]], ["squashfs", "o/i", 0, []], ["squashfs", "o/i", 5, []]]) {
    expect(() => parse(bad)).toThrow(SnapshotDamagedError);
  }
});
