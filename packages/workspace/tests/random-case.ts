// One case from a seed: a random tree with random edits, saved turn by turn, and compared with independent walks of the
// disk. Throws if anything differs.

import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { defaultWorkspaceLimits, diff, emptyTree, loadTree, readFile, restore, save, scan } from "../src/index.ts";
import { SnapshotDamagedError, treeHash } from "../src/index.ts";
import type { Disks, Scan, SnapshotRef, Tree, TreeEntry } from "../src/index.ts";
import { picture, type Fixture } from "./fixture.ts";
import { edit, randomFrom, type Random } from "./random.ts";

const turns = 4;
const diskTurns = 14;

export async function runCase(fixture: Fixture, seed: number): Promise<void> {
  try {
    await runTurns(fixture, seed);
  } catch (error) {
    throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
  }
}

async function runTurns(fixture: Fixture, seed: number): Promise<void> {
  const { store } = fixture;
  const random = randomFrom(seed);
  const dir = fixture.fresh();
  let saved: Tree = emptyTree;
  let base: Scan | undefined;
  let chain: SnapshotRef[] = [];
  let before: string[] = [];
  for (let turn = 0; turn < turns; turn++) {
    edit(dir, random, 1 + random.below(12));
    const quick: Scan = await scan(dir, base === undefined ? {} : { base });
    const thorough = await scan(dir);
    assert.deepEqual([...quick.tree], [...thorough.tree]);
    base = quick;

    const full = random.below(4) === 0;
    const result = await save({ store, keyPrefix: `case/${seed}`, dir, before: saved, after: quick.tree, full });
    const earlier = saved;
    chain = full ? [result] : [...chain, result];
    saved = await loadTree(store, chain);
    assert.deepEqual([...saved], [...result.tree]);
    assert.equal(treeHash(saved), treeHash(thorough.tree));
    assert.equal(treeHash(result.tree), treeHash(thorough.tree));
    assert.deepEqual(diff(saved, quick.tree), []);
    const now = picture(dir);
    for (const after of [saved, quick.tree, result.tree])
      assert.deepEqual(linesOf(earlier, after), changedLines(before, now));
    assert.deepEqual(await restoredPicture(fixture, saved), now);
    before = now;
    await readSome(fixture, saved, dir, random);
    if (random.below(4) === 0) await damageNewest(fixture, chain, seed, random);
  }
  rmSync(dir, { recursive: true });
}

async function restoredPicture(fixture: Fixture, tree: Tree): Promise<string[]> {
  const dir = fixture.fresh();
  const { files } = await restore({ store: fixture.store, tree, dir });
  assert.equal(files, [...tree.values()].filter((entry) => entry.type === "file").length);
  // A full scan of the restored directory gives the same tree.
  assert.equal(treeHash((await scan(dir)).tree), treeHash(tree));
  const lines = picture(dir);
  rmSync(dir, { recursive: true });
  return lines;
}

function linesOf(before: Tree, after: Tree): string[] {
  return diff(before, after)
    .map(({ change, path }) => `${change} ${path}`)
    .sort();
}

/** Returns the differences of two walks by path. */
export function changedLines(before: readonly string[], now: readonly string[]): string[] {
  const [old, young] = [byPath(before), byPath(now)];
  const changed: string[] = [];
  for (const [path, line] of young) {
    if (!old.has(path)) changed.push(`created ${path}`);
    else if (old.get(path) !== line) changed.push(`modified ${path}`);
  }
  for (const path of old.keys()) if (!young.has(path)) changed.push(`deleted ${path}`);
  return changed.sort();
}

// A line is a path, a space and a mode or an arrow. Names of the random trees can contain spaces, but not these.
function byPath(lines: readonly string[]): Map<string, string> {
  const roots = new Set(["workspace", "state"]);
  const pairs = lines.map((line): [string, string] => [/^(.*?) (?:->|\d{3}\b)/s.exec(line)?.[1] ?? line, line]);
  return new Map(pairs.filter(([path]) => !roots.has(path)));
}

async function readSome({ store }: Fixture, saved: Tree, dir: string, random: Random): Promise<void> {
  const files = [...saved.values()].filter((entry) => entry.type === "file");
  if (files.length === 0) return;
  const some = random.pick(files);
  const [start, end] = [random.below(some.sizeBytes + 1), some.sizeBytes + random.below(3)];
  const expected = readFileSync(join(dir, some.path));
  assert.deepEqual(await buffer(await readFile(store, some)), expected);
  assert.deepEqual(await buffer(await readFile(store, some, { start, end })), expected.subarray(start, end + 1));
}

// Truncates the newest object or flips a bit: it is refused by name, or (an unused bit) gives the same tree.
async function damageNewest({ store, fresh }: Fixture, chain: readonly SnapshotRef[], seed: number, random: Random) {
  const { objectKey } = chain.at(-1) as SnapshotRef;
  const good = await store.read(objectKey);
  const isCut = random.below(2) === 0;
  const bytes = Buffer.from(isCut ? good.subarray(0, random.below(good.length)) : good);
  const at = random.below(bytes.length);
  if (!isCut) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  const key = `case/${seed}/damaged`;
  await store.put(key, bytes);
  try {
    const tree = await loadTree(store, [...chain.slice(0, -1), { objectKey: key }]);
    await restore({ store, tree, dir: fresh() });
    assert.equal(isCut, false, `an object cut at ${bytes.length} of ${good.length} was believed`);
    assert.equal(treeHash(tree), treeHash(await loadTree(store, chain)));
  } catch (error) {
    assert.ok(error instanceof SnapshotDamagedError, `not refused cleanly: ${String(error)}`);
    assert.equal(error.objectKey, key);
  }
}

/** The same with session directories: each turn on a disk that was opened warm or cold, kept or closed. */
export async function runDiskCase(fixture: Fixture, disks: Disks, seed: number): Promise<void> {
  try {
    await runDiskTurns(fixture, disks, seed);
  } catch (error) {
    throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
  }
}

async function runDiskTurns({ store, fresh }: Fixture, disks: Disks, seed: number): Promise<void> {
  const random = randomFrom(seed);
  let head: Tree = emptyTree;
  let left: string[] | undefined;
  for (let turn = 0; turn < diskTurns; turn++) {
    const options = { store, organizationId: "org_r", tree: head, dir: fresh(), limits: defaultWorkspaceLimits };
    const disk = await disks.open(options);
    const start = picture(disk.dir);
    if (left !== undefined) assert.deepEqual(start, left);
    edit(disk.dir, random, random.below(10));
    const { tree: after } = await disk.scan();
    assert.deepEqual([...after].map(placeless), [...(await scan(disk.dir)).tree]);
    const now = picture(disk.dir);
    assert.deepEqual(linesOf(head, after), changedLines(start, now));
    if (random.below(4) === 0) {
      await disk.close();
      left = start;
      continue;
    }
    const saved = await save({ store, keyPrefix: `disk/${seed}`, dir: disk.dir, before: head, after });
    await disk.keep(saved.tree);
    [head, left] = [saved.tree, now];
  }
}

function placeless([path, entry]: readonly [string, TreeEntry]): [string, TreeEntry] {
  const { location: _, ...rest } = entry;
  return [path, rest];
}
