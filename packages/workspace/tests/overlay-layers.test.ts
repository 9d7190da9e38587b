// The store of layers when its disk fails, and when several callers remove bases at the same time.

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import { OverlayLayerStore } from "../src/disks/overlay/overlay-layers.ts";
import { openFixture } from "./fixture.ts";

const fixture = openFixture();
afterAll(() => fixture[Symbol.dispose]());

test("a base whose record cannot be written is used like another, and the next process does not have it", async () => {
  const dir = fixture.fresh();
  const store = new OverlayLayerStore(dir, 10, () => Promise.resolve());
  const id = store.newLayerId("org_a");
  mkdirSync(join(dir, "org_a", id));
  writeFileSync(join(dir, "org_a", id, "file"), "0123");
  // Where the record should be, something is that cannot be written.
  mkdirSync(join(dir, "org_a", "hash.base"));
  const base = await store.add({ organizationId: "org_a", treeHash: "hash", layers: [{ id, bytes: 4 }] });
  await store.release(base);
  expect(store.hold({ organizationId: "org_a", treeHash: "hash" })).toMatchObject({ treeHash: "hash" });
  const next = new OverlayLayerStore(dir, 10, () => Promise.resolve());
  await next.load();
  expect(next.hold({ organizationId: "org_a", treeHash: "hash" })).toBeUndefined();
  expect(next.sizeBytes).toBe(0);
});

test.each<[title: string, maxBytes: number]>([
  ["merge", 1_000],
  ["evict", 0],
])("a layer that a held base uses stays when several callers %s", async (_title, maxBytes) => {
  const dir = fixture.fresh();
  const store = new OverlayLayerStore(dir, maxBytes, () => Promise.resolve());
  const newLayer = (): { id: string; bytes: number } => {
    const id = store.newLayerId("org_a");
    mkdirSync(join(dir, "org_a", id));
    return { id, bytes: 1 };
  };
  const shared = newLayer();
  const add = (treeHash: string) => store.add({ organizationId: "org_a", treeHash, layers: [newLayer(), shared] });
  const [first, second] = [await add("1"), await add("2")];
  const unused = [await add("3"), await add("4")];
  if (maxBytes > 0) {
    for (const base of unused) await store.release(base);
    await Promise.all([store.removeRelatives(first), store.removeRelatives(second)]);
  } else {
    await Promise.all(unused.map((base) => store.release(base)));
  }
  for (const treeHash of ["3", "4"]) expect(store.hold({ organizationId: "org_a", treeHash })).toBeUndefined();
  expect([store.isAlone(first), store.isAlone(second)]).toEqual([false, false]);
  await store.release(first);
  await store.removeRelatives(second);
  expect(existsSync(join(dir, "org_a", shared.id))).toBe(true);
  expect(store.isAlone(second)).toBe(true);
});
