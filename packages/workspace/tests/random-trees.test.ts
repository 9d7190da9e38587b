// Random trees under random edits: every save restores to the same disk, by every way through the chain.

import { afterAll, expect, test } from "@jest/globals";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { diff, emptyTree, loadTree, readFile, restore, save, scan, treeHash } from "../src/index.ts";
import type { Scan, Tree } from "../src/index.ts";
import { openFixture, picture } from "./fixture.ts";
import { edit, randomFrom } from "./random.ts";

/** Raise for a long search, with another first seed. */
const cases = 300;
const firstSeed = 1;
const turns = 4;

const fixture = openFixture();
afterAll(() => fixture[Symbol.dispose]());
const { store } = fixture;

async function restoredPicture(tree: Tree): Promise<string[]> {
  const dir = fixture.fresh();
  const { files } = await restore({ store, tree, dir });
  expect(files).toBe([...tree.values()].filter((entry) => entry.type === "file").length);
  // A fresh full scan of what was restored is the tree itself.
  expect(treeHash((await scan(dir)).tree)).toBe(treeHash(tree));
  const lines = picture(dir);
  rmSync(dir, { recursive: true });
  return lines;
}

async function runCase(seed: number): Promise<void> {
  const random = randomFrom(seed);
  const dir = fixture.fresh();
  let saved: Tree = emptyTree;
  let base: Scan | undefined;
  let chain: { objectKey: string }[] = [];
  for (let turn = 0; turn < turns; turn++) {
    edit(dir, random, 1 + random.below(12));
    const quick: Scan = await scan(dir, base === undefined ? {} : { base });
    const thorough = await scan(dir);
    expect(quick.tree).toEqual(thorough.tree);
    base = quick;

    const full = random.below(4) === 0;
    const result = await save({ store, keyPrefix: `case/${seed}`, dir, before: saved, after: quick.tree, full });
    const earlier = saved;
    chain = full ? [result] : [...chain, result];
    saved = await loadTree(store, chain);
    expect(saved).toEqual(result.tree);
    expect(treeHash(saved)).toBe(treeHash(quick.tree));
    expect(diff(saved, quick.tree)).toEqual([]);
    expect(diff(earlier, saved)).toEqual(diff(earlier, quick.tree));
    expect(await restoredPicture(saved)).toEqual(picture(dir));

    const files = [...saved.values()].filter((entry) => entry.type === "file");
    const some = files.length === 0 ? undefined : random.pick(files);
    if (some === undefined) continue;
    const [start, end] = [random.below(some.sizeBytes + 1), some.sizeBytes + random.below(3)];
    const expected = readFileSync(join(dir, some.path));
    expect(await buffer(await readFile(store, some))).toEqual(expected);
    expect(await buffer(await readFile(store, some, { start, end }))).toEqual(expected.subarray(start, end + 1));
  }
  rmSync(dir, { recursive: true });
}

test(`${cases} random trees`, async () => {
  for (let seed = firstSeed; seed < firstSeed + cases; seed++) {
    await runCase(seed).catch((error: unknown) => {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    });
  }
});
