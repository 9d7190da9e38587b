// Large trees from an image: mounted below, the same disk as from the packs, and the packs where it fails.

import { afterAll, expect, test } from "@jest/globals";
import type { BlobStore } from "@dari/blobs";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import {
  checkSnapshotObject,
  defaultWorkspaceLimits as limits,
  emptyTree,
  loadTree,
  openDisks,
  rewriteSnapshot,
  save,
  scan,
  SnapshotDamagedError,
  sweepMounts,
  treeHash,
  type Disk,
  type Disks,
  type Tree,
  type UnusedSquashfs,
} from "../src/index.ts";
import { getSquashfsBase, setSquashfsBase } from "../src/snapshot/squashfs-image.ts";
import { parseSnapshotManifest } from "../src/snapshot/parse-snapshot-manifest.ts";
import { openMounts } from "../src/disks/overlay/mounts.ts";
import { openOverlays, probeOverlays } from "../src/disks/overlay/overlay-disks.ts";
import { counting, openFixture, picture, saveDir, writeFiles } from "./fixture.ts";

const fixture = openFixture();
const opened: Disks[] = [];
const unused: UnusedSquashfs[] = [];
afterAll(async () => {
  for (const disks of opened) await disks.close();
  await sweepMounts(fixture.top);
  fixture[Symbol.dispose]();
});

async function open(kind: "auto" | "overlay" | "copy", dir = fixture.fresh()): Promise<Disks> {
  const disks = await openDisks({ dir, maxBytes: 1024 ** 3, kind, onSquashfsUnused: (one) => unused.push(one) });
  opened.push(disks);
  return disks;
}

const { fileOf, ...stored } = fixture.store;
/** A store that is no local folder, so an image is downloaded. */
const store = counting(stored);
/** Images are tested where this process may mount them and has the tools. */
const hasTools = spawnSync("mksquashfs", ["-version"], { stdio: "ignore" }).error === undefined;
const mountsOfRoot = await openMounts("trusted");
const hasImages = hasTools && (await probeOverlays(fixture.top, mountsOfRoot)) === undefined;
await mountsOfRoot.close();
const testImage = hasImages ? test : test.skip;

const source = fixture.fresh();
writeFiles(source, Object.fromEntries(Array.from({ length: 2_100 }, (_, i) => [nameOf(i), `content ${i}`])));
mkdirSync(join(source, "workspace/empty"));
symlinkSync("../../../etc/passwd", join(source, "workspace/link"));
chmodSync(join(source, nameOf(0)), 0o755);
chmodSync(join(source, nameOf(1)), 0o400);
chmodSync(join(source, "workspace/empty"), 0o555);
const saved = await saveDir(fixture, source, emptyTree);
const cut = await rewriteSnapshot({ store, keyPrefix: "s", tree: saved.tree, repack: new Set() });
const imageKey = cut.references.find(({ objectKey }) => objectKey.endsWith(".squashfs"))?.objectKey ?? "";

function nameOf(i: number): string {
  return `workspace/folder-${i % 70}/file-${i}.txt`;
}

const openTree = (disks: Disks, tree: Tree, from: BlobStore = store): Promise<Disk> =>
  disks.open({ store: from, organizationId: "org_a", tree, dir: fixture.fresh(), limits });

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
    expect([unused, disks.squashfsUnused]).toEqual([[], 0]);
    expect((await openTree(disks, tree)).isWarm).toBe(true);
    await disks.close();
  },
);

testImage("in a user namespace, where images cannot be mounted, none is downloaded", async () => {
  const dir = fixture.fresh();
  mkdirSync(dir, { recursive: true });
  const disks = await openOverlays({ dir, maxBytes: 1024 ** 3, mounts: await openMounts("user") });
  const tree = await loadTree(store, [cut]);
  const disk = await disks.open({ store, organizationId: "org_a", tree, dir: fixture.fresh(), limits });
  expect(picture(disk.dir)).toEqual(picture(source));
  await disk.close();
  // An image would still be mounted here.
  expect({ mounts: mountsBelow(dir), unused: disks.squashfsUnused }).toEqual({ mounts: 0, unused: 0 });
  await disks.close();
});

testImage(
  "a fetched image is checked and used again by the next process, and is fetched when it is not whole",
  async () => {
    const dir = fixture.fresh();
    const tree = await loadTree(store, [cut]);
    const imageFiles = (): string[] => readdirSync(join(dir, "org_a")).filter((name) => name.endsWith(".i"));
    const openAnew = async (expected: { requests: number; files: number }, maxBytes = 1024 ** 3): Promise<void> => {
      store.requests = 0;
      const disks = await openDisks({ dir, maxBytes, kind: "overlay", onSquashfsUnused: (one) => unused.push(one) });
      opened.push(disks);
      const disk = await openTree(disks, tree);
      expect(picture(disk.dir)).toEqual(picture(source));
      await disk.close();
      expect({ requests: store.requests, files: imageFiles().length }).toEqual(expected);
      await disks.close();
    };
    unused.length = 0;
    await openAnew({ requests: 1, files: 1 });
    await openAnew({ requests: 0, files: 1 });
    const [name = ""] = imageFiles();
    for (const spoil of [
      (file: string) => truncateSync(file, 5_000),
      (file: string) => writeFileSync(file, readFileSync(file).fill("x", 4_000, 4_100)),
      (file: string) => (rmSync(file), symlinkSync("/dev/zero", file)),
    ]) {
      spoil(join(dir, "org_a", imageFiles()[0] ?? name));
      await openAnew({ requests: 1, files: 1 });
      await openAnew({ requests: 0, files: 1 });
    }
    expect(unused).toEqual([]);
    // What no organization's turn asks for makes room.
    const small = await openDisks({ dir, maxBytes: 10, kind: "overlay" });
    opened.push(small);
    expect([imageFiles(), small.sizeBytes]).toEqual([[], 0]);
  },
);

testImage("changes since then are shown over the image: contents, modes, types, deletions", async () => {
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
  // The base of the image is there too, so going back finds it warm.
  expect((await openTree(disks, saved.tree)).isWarm).toBe(true);
  writeFileSync(join(found.dir, "workspace/turn"), "t");
  const { tree: now } = await found.scan();
  const kept = await save({ store, keyPrefix: "s", dir: found.dir, before: tree, after: now });
  await found.keep(kept.tree);
  const again = await openTree(disks, kept.tree);
  expect(again.isWarm).toBe(true);
  expect(treeHash((await scan(again.dir)).tree)).toBe(kept.treeHash);
});

testImage("a damaged or missing image costs only time, is reported, and a check finds it", async () => {
  await checkSnapshotObject(store, cut.objectKey);
  await checkSnapshotObject(store, imageKey);
  const bytes = await fixture.store.read(imageKey);
  const altered = Buffer.from(bytes);
  altered.writeUInt8(altered.readUInt8(5_000) ^ 1, 5_000);
  const cases = [
    [altered, "not what"],
    [bytes.subarray(0, bytes.length - 1), "it "],
    [undefined, "it is missing"],
  ] as const;
  for (const [content, reason] of cases) {
    if (content === undefined) await fixture.store.delete([imageKey]);
    else await fixture.store.put(imageKey, content);
    for (const from of [store, fixture.store]) {
      unused.length = 0;
      const disks = await open("overlay");
      const disk = await openTree(disks, await loadTree(from, [cut]), from);
      expect(picture(disk.dir)).toEqual(picture(source));
      const told = { organizationId: "org_a", objectKey: imageKey, reason: expect.stringContaining(reason) };
      expect([unused, disks.squashfsUnused]).toEqual([[told], 1]);
    }
    await expect(checkSnapshotObject(store, cut.objectKey)).rejects.toThrow(SnapshotDamagedError);
  }
  await fixture.store.put(imageKey, bytes);
});

testImage("an image that cannot be mounted is reported, and the packs are used", async () => {
  const noSquashfs = Buffer.alloc(4_096, "x");
  const key = "s/odd.squashfs";
  await fixture.store.put(key, noSquashfs);
  const tree = await loadTree(store, [cut]);
  const base = getSquashfsBase(tree);
  if (base === undefined) throw new Error("the tree has no image");
  const chunks = [createHash("sha256").update(noSquashfs).digest("hex")];
  setSquashfsBase(tree, { ...base, squashfs: { objectKey: key, sizeBytes: noSquashfs.length, chunks } });
  for (const from of [store, fixture.store]) {
    unused.length = 0;
    const dir = fixture.fresh();
    const disk = await openTree(await open("overlay", dir), tree, from);
    expect(picture(disk.dir)).toEqual(picture(source));
    expect(unused).toMatchObject([{ objectKey: key, reason: expect.stringContaining("cannot be mounted") }]);
    expect(readdirSync(join(dir, "org_a")).filter((name) => name.endsWith(".i"))).toEqual([]);
  }
  expect(await fixture.store.read(key)).toEqual(noSquashfs);
});

/** From a store that is no local folder, an image is always downloaded. */
const testLocalImage = fileOf === undefined ? test.skip : testImage;

testLocalImage("a local image is mounted directly, unless others can write to it", async () => {
  const here = Object.assign(counting(stored), { fileOf });
  const tree = await loadTree(here, [cut]);
  const file = fileOf?.(imageKey) ?? "";
  for (const [mode, requests] of [
    [0o600, 0],
    [0o660, 1],
  ] as const) {
    chmodSync(file, mode);
    here.requests = 0;
    const disk = await openTree(await open("overlay"), tree, here);
    expect(here.requests).toBe(requests);
    expect(treeHash((await scan(disk.dir)).tree)).toBe(saved.treeHash);
  }
  chmodSync(file, 0o600);
});

test("a manifest's image is checked, and one of another kind is passed over", () => {
  const hash = "0".repeat(64);
  const parse = (image: unknown): unknown => {
    const lists = { objects: [], frames: [], entries: [], deleted: [] };
    const json = JSON.stringify({ kind: "full", base: null, tree: hash, image, ...lists });
    return parseSnapshotManifest(json, { objectKey: "k", packStart: 64, packBytes: 0 }).squashfs;
  };
  expect(parse(["squashfs", "o/i", 5, [hash]])).toEqual({ objectKey: "o/i", sizeBytes: 5, chunks: [hash] });
  expect(parse(["another", 1])).toBeUndefined();
  for (const bad of [{}, ["squashfs", "../i", 5, [hash]], ["squashfs", "o/i", 0, []], ["squashfs", "o/i", 5, []]]) {
    expect(() => parse(bad)).toThrow(SnapshotDamagedError);
  }
});
