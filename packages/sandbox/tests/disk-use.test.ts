// The walk that measures a sandbox's directories while a hostile program changes them.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { renameSync, symlinkSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitUntil } from "@dari/testkit";
import { measureDiskUse, watchDisk } from "../src/limits/measure-disk.ts";

const MiB = 1024 ** 2;
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "disk-use-"));
});
afterEach(() => rm(dir, { recursive: true }));

test("a measure of a directory follows no link, counts a file once, and stops when it knows enough", async () => {
  await mkdir(join(dir, "sub"));
  await writeFile(join(dir, "sub", "file"), Buffer.alloc(100_000, 1));
  await symlink("/usr", join(dir, "usr"));
  const use = await measureDiskUse([dir], { bytes: Infinity, files: Infinity });
  expect(use.files).toBe(3);
  expect(use.bytes).toBeGreaterThanOrEqual(100_000);
  expect(use.bytes).toBeLessThan(200_000);
  expect((await measureDiskUse([dir, "/usr"], { bytes: Infinity, files: 10 })).files).toBeLessThan(1_000);
});

test.each([
  ["itself is replaced by a link", 1, "sub"],
  ["has a parent that is replaced by a link", 2, "sub"],
])("a directory that %s after it was listed is not entered", async (_title, afterListings, name) => {
  const [root, outside] = [join(dir, "root"), join(dir, "outside")];
  await mkdir(join(root, "sub", "deep"), { recursive: true });
  await mkdir(join(outside, "deep"), { recursive: true });
  for (const at of ["a", "deep/b", "deep/c"]) await writeFile(join(outside, at), Buffer.alloc(100_000, 1));
  let listings = 0;
  const bounds = {
    bytes: Infinity,
    // The walk compares with this bound after each listing, before it descends.
    get files() {
      listings += 1;
      if (listings === afterListings) {
        renameSync(join(root, name), join(dir, "moved"));
        symlinkSync(outside, join(root, name));
      }
      return Infinity;
    },
  };
  const use = await measureDiskUse([root], bounds);
  expect(listings).toBeGreaterThanOrEqual(afterListings);
  expect(use.files).toBe(afterListings);
  expect(use.bytes).toBeLessThan(100_000);
});

test("files below a directory whose name is not UTF-8 are counted", async () => {
  const name = Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0xff])]);
  await mkdir(name);
  await writeFile(Buffer.concat([name, Buffer.from("/file")]), Buffer.alloc(100_000, 1));
  const use = await measureDiskUse([dir], { bytes: Infinity, files: Infinity });
  expect(use.files).toBe(2);
  expect(use.bytes).toBeGreaterThanOrEqual(100_000);
});

test("growth is noticed on a file system from which others have deleted more", async () => {
  // In memory, where few others of this machine write.
  const shared = await mkdtemp("/dev/shm/disk-use-");
  try {
    const own = join(shared, "own");
    await mkdir(own);
    await writeFile(join(shared, "other"), Buffer.alloc(64 * MiB));
    const watch = watchDisk(
      () => [own],
      { bytes: 8 * MiB, files: 1_000 },
      () => Promise.resolve({ disk: { bytes: 0, files: 0 }, underWay: 0, isPartial: false }),
    );
    for (const _walk of ["named files", "open files"]) expect(await watch.isOver()).toBe(false);
    await rm(join(shared, "other"));
    expect(await watch.isOver()).toBe(false);
    await writeFile(join(own, "file"), Buffer.alloc(16 * MiB));
    await waitUntil(() => watch.isOver(), { what: "a walk after the growth" });
  } finally {
    await rm(shared, { recursive: true });
  }
});
