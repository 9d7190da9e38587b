// The filesystem store passes the common tests, and those of a disk.

import { afterAll, expect, test } from "@jest/globals";
import { chmod, mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFilesystemBlobStore } from "../src/index.ts";
import { describeBlobStore } from "./conformance.ts";

const top = await mkdtemp(join(tmpdir(), "dari-blobs-"));
afterAll(() => rm(top, { recursive: true, force: true }));

describeBlobStore("filesystem", async () => createFilesystemBlobStore({ root: join(top, "fast"), durable: false }));
describeBlobStore("filesystem, durable", async () => createFilesystemBlobStore({ root: join(top, "durable") }));

test("drafts never show, are removed on failure, and forgotten ones are removed by check", async () => {
  const root = join(top, "drafts");
  const store = createFilesystemBlobStore({ root });
  async function* looking(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("half");
    expect(await readdir(join(root, "incoming"))).toHaveLength(1);
    expect(await store.head("a/b")).toBeUndefined();
    throw new Error("stop");
  }
  await expect(store.put("a/b", looking())).rejects.toThrow("stop");
  expect(await readdir(join(root, "incoming"))).toEqual([]);

  await writeFile(join(root, "incoming", "old"), "x");
  await writeFile(join(root, "incoming", "young"), "x");
  await utimes(join(root, "incoming", "old"), 1, 1);
  await store.check();
  expect(await readdir(join(root, "incoming"))).toEqual(["young"]);
});

test("deleting prunes empty folders, and nothing else", async () => {
  const root = join(top, "prune");
  const store = createFilesystemBlobStore({ root });
  await store.put("a/b/c", Buffer.from("x"));
  await store.put("a/d", Buffer.from("x"));
  await store.delete(["a/b/c"]);
  expect(await readdir(join(root, "objects", "a"))).toEqual(["d"]);
  await store.delete(["a/d"]);
  expect(await readdir(join(root, "objects"))).toEqual([]);
});

test("a folder is not an object, and an object is not a folder", async () => {
  const store = createFilesystemBlobStore({ root: join(top, "both") });
  await store.put("a/b", Buffer.from("x"));
  expect(await store.head("a")).toBeUndefined();
  await expect(store.read("a")).rejects.toThrow("there is no object a");
  await expect(store.read("a/b/c")).rejects.toThrow("there is no object a/b/c");
  await expect(store.put("a/b/c", Buffer.from("x"))).rejects.toThrow();
  await store.delete(["a", "a/b/c"]);
  expect((await store.read("a/b")).toString()).toBe("x");
});

test("check says what to do when the folder cannot be used", async () => {
  const root = join(top, "blocked");
  await mkdir(root);
  await writeFile(join(root, "objects"), "a file in the way");
  await chmod(root, 0o500);
  await expect(createFilesystemBlobStore({ root }).check()).rejects.toThrow("blocked, cannot be used: make it");
});
