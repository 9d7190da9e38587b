// The content cache saves reads, stays within its bound, and is never believed.

import { afterAll, expect, test } from "@jest/globals";
import { randomBytes } from "node:crypto";
import { readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { emptyTree, openContentCache, restore } from "../src/index.ts";
import { counting, openFixture, picture, saveDir, writeFiles } from "./fixture.ts";

const fixture = openFixture();
afterAll(() => fixture[Symbol.dispose]());
const KiB = 1024;

test("the second restore fetches small files only, and another organization fetches all", async () => {
  const source = fixture.fresh();
  const [big, huge] = [randomBytes(700 * KiB), randomBytes(9000 * KiB)];
  writeFiles(source, { "workspace/big": big, "workspace/huge": huge, "workspace/s": "x" });
  const { tree } = await saveDir(fixture, source, emptyTree);
  const cache = await openContentCache({ dir: fixture.fresh(), maxBytes: 64 * KiB * KiB });
  const fetched: number[] = [];
  for (const organization of ["org_a", "org_a", "org_b"]) {
    const store = counting(fixture.store);
    const dir = fixture.fresh();
    await restore({ store, tree, dir, cache: cache.forOrganization(organization) });
    expect(picture(dir)).toEqual(picture(source));
    // A copy, never a link: what an agent writes in place stays its own.
    writeFileSync(join(dir, "workspace/big"), "changed", { flag: "r+" });
    fetched.push(store.bytes);
  }
  expect(fetched[0]).toBeGreaterThan(9000 * KiB);
  expect(fetched[1]).toBeLessThan(100);
  expect(fetched[2]).toBe(fetched[0]);
  expect(() => cache.forOrganization("../x")).toThrow(TypeError);
});

test("altered and vanished copies are misses, and are forgotten", async () => {
  const source = fixture.fresh();
  writeFiles(source, { "workspace/a": randomBytes(300 * KiB), "workspace/b": randomBytes(300 * KiB) });
  const { tree } = await saveDir(fixture, source, emptyTree);
  const dir = fixture.fresh();
  const cache = await openContentCache({ dir, maxBytes: KiB * KiB });
  const own = cache.forOrganization("org_a");
  await restore({ store: fixture.store, tree, dir: fixture.fresh(), cache: own });
  const copies = readdirSync(join(dir, "org_a")).map((name) => join(dir, "org_a", name));
  expect(copies).toHaveLength(2);
  writeFileSync(copies[0] ?? "", "x", { flag: "r+" });
  writeFileSync(copies[1] ?? "", "short");
  const again = fixture.fresh();
  await restore({ store: fixture.store, tree, dir: again, cache: own });
  expect(picture(again)).toEqual(picture(source));
  expect(cache.sizeBytes).toBe(600 * KiB);
  expect(copies.map((copy) => statSync(copy).size)).toEqual([300 * KiB, 300 * KiB]);
});

test("stays within its bytes, drops the least recently used, and remembers over a restart", async () => {
  const dir = fixture.fresh();
  const contents = fixture.fresh();
  writeFiles(contents, { "workspace/f": randomBytes(1000) });
  const source = join(contents, "workspace/f");
  const sha256 = (await saveDir(fixture, contents, emptyTree)).tree.get("workspace/f")?.sha256 ?? "";
  const other = (digit: string): string => digit.repeat(64);
  const first = (await openContentCache({ dir, maxBytes: 3000 })).forOrganization("org_a");
  for (const name of [sha256, other("1"), other("2")]) await first.add(name, 1000, source);
  expect(await first.copyTo(sha256, 1000, join(contents, "copy-1"))).toBe(true);
  await first.add(other("3"), 1000, source);
  await first.add(other("4"), 4000, source);
  expect(readdirSync(join(dir, "org_a"))).toEqual([sha256, other("2"), other("3")].sort());

  writeFileSync(join(dir, "org_a", `${other("9")}.draft`), "half");
  const oldestFirst = [other("3"), sha256, other("2")];
  for (const [i, name] of oldestFirst.entries()) utimesSync(join(dir, "org_a", name), i + 1, i + 1);
  const second = await openContentCache({ dir, maxBytes: 2000 });
  expect(second.sizeBytes).toBe(2000);
  expect(readdirSync(join(dir, "org_a"))).toEqual([sha256, other("2")].sort());
  expect(await second.forOrganization("org_a").copyTo(other("3"), 1000, join(contents, "copy-2"))).toBe(false);
});
