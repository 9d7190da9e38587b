// Damaged and malicious snapshots: refused with the object's name, never a crash, never a wrong disk.

import { afterAll, expect, test } from "@jest/globals";
import { randomBytes } from "node:crypto";
import { existsSync, lstatSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import {
  emptyTree,
  loadTree,
  readFile,
  restore,
  SnapshotDamagedError,
  treeHash,
  createTree,
  type Tree,
  type TreeEntry,
} from "../src/index.ts";
import { parseSnapshotManifest } from "../src/snapshot/parse-snapshot-manifest.ts";
import { decodeHeader, encodeHead, manifestBytesMax, readHead } from "../src/snapshot/snapshot-object.ts";
import { openFixture, saveDir, writeFiles } from "./fixture.ts";
import { randomFrom, type Random } from "./random.ts";

const fixture = openFixture();
const { store } = fixture;
afterAll(() => fixture[Symbol.dispose]());

const files = {
  "workspace/a": "alpha".repeat(100),
  "workspace/dir/b": randomBytes(5000),
  "workspace/empty": "",
  "state/c": "c",
  "workspace/large": randomBytes(9 * 1024 * 1024),
};
const source = fixture.fresh();
writeFiles(source, files);
symlinkSync("a", join(source, "workspace/link"));
const saved = await saveDir(fixture, source, emptyTree);
const good = await store.read(saved.objectKey);
const { header, json } = await readHead(store, saved.objectKey);
const place = { objectKey: "k", packStart: 64 + header.manifestStoredBytes, packBytes: header.packBytes };

/** Stores bytes as an object, loads it and restores it: everything, or SnapshotDamagedError for that object. */
async function use(bytes: Uint8Array, key: string): Promise<"same" | "damaged"> {
  await store.put(key, bytes);
  const dir = fixture.fresh();
  try {
    const tree = await loadTree(store, [{ objectKey: key }]);
    await restore({ store, tree, dir });
    expect(treeHash(tree)).toBe(saved.treeHash);
    return "same";
  } catch (error) {
    expect(error).toBeInstanceOf(SnapshotDamagedError);
    expect((error as SnapshotDamagedError).objectKey).toBe(key);
    expect((error as Error).message).toContain(key);
    return "damaged";
  }
}

test("the object as it was is used", async () => {
  expect(await use(good, "fuzz/same")).toBe("same");
});

test("every cut is damage", async () => {
  const random = randomFrom(1);
  const headEnd = place.packStart;
  const inHead = Array.from({ length: 40 }, () => random.below(headEnd));
  const anywhere = Array.from({ length: 5 }, () => random.below(good.length));
  const edges = [0, 1, 8, 63, 64, 65, headEnd - 1, headEnd, headEnd + 1, good.length - 1];
  const lengths = [...edges, ...inHead, ...anywhere];
  for (const length of lengths) expect(await use(good.subarray(0, length), `fuzz/cut-${length}`)).toBe("damaged");
});

// Stores 2 GB, one altered object after another, which is slow on a busy machine.
test("every flipped bit of head or content is damage", async () => {
  const random = randomFrom(2);
  const inHeader = Array.from({ length: 64 }, (_, i) => i);
  const inManifest = Array.from({ length: 60 }, () => random.below(place.packStart));
  const inPack = Array.from({ length: 12 }, () => place.packStart + random.below(place.packBytes));
  const places = [...inHeader, ...inManifest, ...inPack];
  for (const [i, at] of places.entries()) {
    const bytes = Buffer.from(good);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    expect(await use(bytes, `fuzz/flip-${i}`)).toBe("damaged");
  }
}, 240_000);

test("mutated manifests under a true seal never crash the parser", async () => {
  const random = randomFrom(3);
  let accepted = 0;
  for (let i = 0; i < 5_000; i++) {
    const inText = random.below(2) === 0;
    const text = inText ? mutateText(json, random) : JSON.stringify(mutateValue(JSON.parse(json), random));
    try {
      parseSnapshotManifest(text, place);
      accepted++;
    } catch (error) {
      if (!(error instanceof SnapshotDamagedError)) throw new Error(`seed 3, case ${i}: ${text}`, { cause: error });
    }
  }
  expect(accepted).toBeLessThan(2_500);
});

function mutateText(text: string, random: Random): string {
  const at = random.below(text.length);
  if (random.below(3) === 0) return text.slice(0, at);
  const inserted = random.pick(['"', "[", "]", "{", "9", "-", "null", "1e999", "\\u0000", "../"]);
  return text.slice(0, at) + inserted + text.slice(at + random.below(4));
}

const oddTexts = ["", "..", "/etc", "workspace/../x", "workspace/\0", "x".repeat(5000)];
const odd = [null, -1, 1.5, 2 ** 53, 1e308, {}, [], true, 99, ...oddTexts];

// Replaces one value, or repeats or drops one element of a list.
function mutateValue(value: unknown, random: Random): unknown {
  if (random.below(6) === 0 || typeof value !== "object" || value === null) return random.pick(odd);
  if (Array.isArray(value)) {
    const at = random.below(value.length);
    const action = random.below(8);
    if (value.length === 0 || action === 0) return [...value, random.pick(odd)];
    if (action === 1) return value.toSpliced(at, 1);
    if (action === 2) return value.toSpliced(at, 0, value[at]);
    return value.with(at, mutateValue(value[at], random));
  }
  const key = random.pick(Object.keys(value));
  return { ...value, [key]: mutateValue((value as Record<string, unknown>)[key], random) };
}

async function objectOf(manifest: unknown): Promise<Uint8Array> {
  return await encodeHead(JSON.stringify(manifest), 0);
}

const root = { kind: "full", base: null, tree: "0".repeat(64), objects: [], frames: [], entries: [], deleted: [] };
const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const file = (path: string): unknown[] => ["f", path, 0o644, 0, empty];

test.each<[string, unknown]>([
  ["no object", []],
  ["no lists", { ...root, entries: undefined }],
  ["a kind of its own", { ...root, kind: "odd" }],
  ["a path that climbs", { ...root, entries: [file("workspace/../../etc/x")] }],
  ["an absolute path", { ...root, entries: [file("/etc/x")] }],
  ["a path outside the trees", { ...root, entries: [file("other/x")] }],
  ["a path with NUL", { ...root, entries: [file("workspace/a\0b")] }],
  ["a root as an entry", { ...root, entries: [["d", "workspace", 0o755]] }],
  ["a dot", { ...root, entries: [file("workspace/./x")] }],
  ["an empty name", { ...root, entries: [file("workspace//x")] }],
  ["a lone surrogate", { ...root, entries: [file("workspace/\ud800")] }],
  ["a path twice", { ...root, entries: [file("workspace/x"), file("workspace/x")] }],
  ["a file as a parent", { ...root, entries: [file("workspace/x"), file("workspace/x/y")] }],
  ["a symlink as a parent", { ...root, entries: [["l", "workspace/x", "/etc"], file("workspace/x/y")] }],
  ["a parent that is missing", { ...root, entries: [file("workspace/x/y")] }],
  ["a setuid mode", { ...root, entries: [["f", "workspace/x", 0o4755, 0, empty]] }],
  ["content from nowhere", { ...root, entries: [["f", "workspace/x", 0o644, 5, empty, 0, 0]] }],
  ["a frame outside the pack", { ...root, frames: [[0, 0, 1, 1, 0]] }],
  ["a huge frame", { ...root, objects: ["k"], frames: [[1, 0, 100, 2 ** 40, 1]] }],
  ["an object key that climbs", { ...root, tree: treeHash(emptyTree), objects: ["a/../../k"] }],
  ["an object key that ends", { ...root, tree: treeHash(emptyTree), objects: ["a/"] }],
  ["another hash than its tree", root],
  ["a delta of nothing known", { ...root, kind: "delta", base: "1".repeat(64) }],
])("a manifest with %s is refused", async (title, manifest) => {
  const key = `hostile/${title.replaceAll(" ", "-")}`;
  expect(await use(await objectOf(manifest), key)).toBe("damaged");
});

test("a restore checks the tree that it gets, and writes only into an empty directory", async () => {
  const link: TreeEntry = { path: "workspace/x", type: "symlink", mode: 0o777, sizeBytes: 1, target: fixture.top };
  const nothing = { sizeBytes: 0, sha256: empty, location: [] };
  const below: TreeEntry = { path: "workspace/x/y", type: "file", mode: 0o644, ...nothing };
  const climbing: TreeEntry = { ...below, path: "workspace/../../y" };
  for (const entries of [[link, below], [climbing], [below]]) {
    const dir = fixture.fresh();
    await expect(restore({ store, tree: createTree(entries), dir })).rejects.toThrow(SnapshotDamagedError);
    expect(existsSync(dir)).toBe(false);
  }
  const used = fixture.fresh();
  writeFiles(used, { "workspace/there": "x" });
  await expect(restore({ store, tree: saved.tree, dir: used })).rejects.toThrow("is not an empty directory");
  const linked = fixture.fresh();
  mkdirSync(linked);
  symlinkSync(fixture.top, join(linked, "workspace"));
  await expect(restore({ store, tree: saved.tree, dir: linked })).rejects.toThrow("is not an empty directory");
  expect(readdirSync(fixture.top)).not.toContain("a");
  const ready = fixture.fresh();
  writeFiles(ready, {});
  await restore({ store, tree: saved.tree, dir: ready });
  expect(lstatSync(join(ready, "workspace/link")).isSymbolicLink()).toBe(true);
});

test("contents that are swapped, missing or cut are found by restore and by reading", async () => {
  const swap = (tree: Tree): Tree => {
    const [a, c] = [tree.get("workspace/a"), tree.get("state/c")];
    if (a?.location === undefined || c?.location === undefined) throw new Error("the files are gone");
    return createTree([...tree.values(), { ...a, location: c.location }]);
  };
  await expect(restore({ store, tree: swap(saved.tree), dir: fixture.fresh() })).rejects.toThrow(SnapshotDamagedError);

  const large = saved.tree.get("workspace/large");
  if (large?.location === undefined) throw new Error("the file is gone");
  const turned = createTree([...saved.tree.values(), { ...large, location: large.location.toReversed() }]);
  await expect(restore({ store, tree: turned, dir: fixture.fresh() })).rejects.toThrow("do not make up its content");

  const movedTo = (objectKey: string): Tree =>
    createTree(
      [...saved.tree.values()].map((entry) => {
        const location = entry.location?.map((chunk) => ({ ...chunk, frame: { ...chunk.frame, objectKey } }));
        return location === undefined ? entry : { ...entry, location };
      }),
    );
  const restoring = restore({ store, tree: movedTo("none/such"), dir: fixture.fresh() });
  await expect(restoring).rejects.toThrow("none/such is damaged: it is missing");
  await expect(loadTree(store, [{ objectKey: "none/such" }])).rejects.toThrow("none/such is damaged: it is missing");
  await store.put("cut/pack", good.subarray(0, good.length - 1_000_000));
  const cutLarge = movedTo("cut/pack").get("workspace/large");
  if (cutLarge === undefined) throw new Error("the file is gone");
  await expect(buffer(await readFile(store, cutLarge))).rejects.toThrow("cut/pack is damaged");
});

test("headers of other versions and with absurd lengths are refused before anything is read", () => {
  const with_ = (change: (bytes: Buffer) => void): Buffer => {
    const bytes = Buffer.from(good.subarray(0, 64));
    change(bytes);
    return bytes;
  };
  expect(() =>
    decodeHeader(
      "k",
      with_((b) => b.writeUInt16BE(2, 8)),
    ),
  ).toThrow("its format version is 2");
  expect(() =>
    decodeHeader(
      "k",
      with_((b) => b.writeUInt32BE(0xffffffff, 12)),
    ),
  ).toThrow("impossible lengths");
  expect(() =>
    decodeHeader(
      "k",
      with_((b) => b.writeUInt32BE(0xffffffff, 16)),
    ),
  ).toThrow("impossible lengths");
  expect(() =>
    decodeHeader(
      "k",
      with_((b) => b.fill(0xff, 20, 28)),
    ),
  ).toThrow("impossible lengths");
});

test("names that are too long together exceed a named limit", async () => {
  const tooLong = encodeHead("x".repeat(manifestBytesMax + 1), 0);
  await expect(tooLong).rejects.toMatchObject({
    name: "WorkspaceLimitError",
    limit: "names",
    message: "the names of all files together exceed the limit of one snapshot; use fewer or shorter names",
  });
});
