// The store of layers when its disk fails.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import { OverlayLayerStore } from "../src/overlay-layers.ts";
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
