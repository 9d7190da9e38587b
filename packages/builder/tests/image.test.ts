// Images are packed reproducibly, unpacked defensively, and cached within a limit.

import { chmod, lstat, mkdir, readFile, readdir, readlink, stat, symlink, writeFile } from "node:fs/promises";
import { createReadStream } from "node:fs";
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createFilesystemBlobStore, type BlobStore } from "@dari/blobs";
import { waitUntil } from "@dari/testkit";
import { rawHeader } from "@dari/testkit/bundles";
import type { ImageRef } from "@dari/bundles";
import { openImageCache, type ImageCache } from "../src/index.ts";
import { packImage } from "../src/image/pack-image.ts";
import { unpackImage } from "../src/image/unpack-image.ts";
import { temporaryDirectory, type TemporaryDirectory } from "./host.ts";

let temporary: TemporaryDirectory;
let store: BlobStore;
let counter = 0;
const fresh = (): string => join(temporary.path, `i${(counter += 1)}`);

beforeAll(async () => {
  temporary = await temporaryDirectory();
  store = createFilesystemBlobStore({ root: fresh() });
});
afterAll(() => temporary[Symbol.asyncDispose]());

async function tree(files: Record<string, string>): Promise<string> {
  const dir = fresh();
  await mkdir(dir);
  for (const [name, body] of Object.entries(files)) {
    await mkdir(join(dir, name, ".."), { recursive: true });
    await writeFile(join(dir, name), body);
  }
  return dir;
}

async function publish(files: Record<string, string>): Promise<ImageRef> {
  const file = fresh();
  const { digest } = await packImage({ dir: await tree(files), file });
  return await publishFile(file, digest);
}

async function publishFile(file: string, digest: string): Promise<ImageRef> {
  const objectKey = `org/images/${digest}`;
  await store.put(objectKey, createReadStream(file));
  const runtime = { language: "python", version: "3.13.0" } as const;
  return { digest, objectKey, runtime, entry: { file: "a.py", export: "a" } };
}

describe("pack and unpack", () => {
  test("unpacking gives what was packed, read-only", async () => {
    const dir = await tree({ "a.txt": "a", "bin/run": "#!/bin/sh", "empty/x": "", "\u00fc/long": "x".repeat(200_000) });
    await chmod(join(dir, "bin/run"), 0o700);
    await mkdir(join(dir, "nothing"));
    await symlink("../bin/run", join(dir, "empty/link"));
    await symlink("/etc/passwd", join(dir, "out-absolute"));
    await symlink("../../etc/passwd", join(dir, "out-relative"));
    execFileSync("mkfifo", [join(dir, "pipe")]);
    const file = fresh();
    const packed = await packImage({ dir, file });
    expect(packed.omitted).toEqual([
      expect.stringMatching(/^out-absolute: a link/),
      expect.stringMatching(/^out-relative: a link/),
      expect.stringMatching(/^pipe: neither/),
    ]);
    const out = fresh();
    await unpackImage({ source: createReadStream(file), digest: packed.digest, dir: out });
    const names = (await readdir(out, { recursive: true })).sort();
    expect(names).toEqual(
      ["a.txt", "bin", "bin/run", "empty", "empty/link", "empty/x", "nothing", "\u00fc", "\u00fc/long"].sort(),
    );
    expect(await readlink(join(out, "empty/link"))).toBe("../bin/run");
    expect(await readFile(join(out, "\u00fc/long"), "utf8")).toBe("x".repeat(200_000));
    const modes = ["a.txt", "bin/run", "nothing", ""].map(async (name) => (await lstat(join(out, name))).mode & 0o777);
    expect(await Promise.all(modes)).toEqual([0o444, 0o555, 0o555, 0o555]);
  });

  test("equal trees give equal digests, whatever their times and order of creation", async () => {
    const one = await packImage({ dir: await tree({ a: "1", "b/c": "2" }), file: fresh() });
    const other = await packImage({ dir: await tree({ "b/c": "2", a: "1" }), file: fresh() });
    expect(other.digest).toBe(one.digest);
    const changed = await packImage({ dir: await tree({ a: "1", "b/c": "3" }), file: fresh() });
    expect(changed.digest).not.toBe(one.digest);
  });

  test("an abort in the middle of a large file is thrown, and affects nothing else", async () => {
    const [dir, file] = [await tree({}), fresh()];
    await writeFile(join(dir, "large"), randomBytes(64 * 1024 * 1024));
    const controller = new AbortController();
    const packing = packImage({ dir, file, signal: controller.signal });
    const packed = expect(packing).rejects.toThrow("aborted");
    while (!((await stat(file).catch(() => undefined))?.size ?? 0)) continue;
    controller.abort();
    await packed;
  });

  test.each<[string, Buffer[], RegExp]>([
    ["a path that leaves", [rawHeader("../x", 0)], /contains '\.\.'/],
    ["a link that leaves", [linkHeader("l", "../../etc")], /leaves the image/],
    ["a file through a link", [linkHeader("l", "d"), rawHeader("l/x", 0)], /both a file and a directory/],
    ["a hard link", [rawHeader("l", 0, "1")], /type link/],
    ["a device", [rawHeader("d", 0, "3")], /type character-device/],
    ["a duplicate", [rawHeader("a", 0), rawHeader("a", 0)], /duplicate/],
  ])("a forged image with %s is refused", async (_name, blocks, reason) => {
    const bytes = Buffer.concat([...blocks, Buffer.alloc(1024)]);
    const file = fresh();
    await writeFile(file, zstdCompressSync(bytes));
    const digest = createHash("sha256").update(bytes).digest("hex");
    const unpacked = unpackImage({ source: createReadStream(file), digest, dir: fresh() });
    const error = await unpacked.then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(`${error?.message} ${(error?.cause as Error | undefined)?.message}`).toMatch(reason);
  });
});

function linkHeader(name: string, target: string): Buffer {
  const block = rawHeader(name, 0, "2");
  block.write(target, 157);
  block.write("        ", 148);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 1;
  return copy;
}

describe("the cache", () => {
  test("ten concurrent callers unpack once; the image survives a restart", async () => {
    const image = await publish({ "a.py": "x = 1\n" });
    const dir = fresh();
    const cache = openImageCache({ dir, store, maxBytes: 1e9 });
    const leases = await Promise.all(Array.from({ length: 10 }, () => cache.ensure(image)));
    expect(new Set(leases.map((lease) => lease.dir)).size).toBe(1);
    const inode = (await stat(leases[0]!.dir)).ino;
    expect(await readdir(dir)).toEqual([image.digest]);
    await cache.close();

    await store.delete([image.objectKey]);
    const again = await openImageCache({ dir, store, maxBytes: 1e9 }).ensure(image);
    expect((await stat(again.dir)).ino).toBe(inode);
    expect(await readFile(join(again.dir, "a.py"), "utf8")).toBe("x = 1\n");
  });

  test("an image that a crash left half unpacked is removed, and downloaded on demand", async () => {
    const image = await publish({ "b.py": "x = 2\n" });
    const dir = fresh();
    await mkdir(join(dir, ".unpack-dead/tree"), { recursive: true });
    await mkdir(join(dir, image.digest, "tree"), { recursive: true });
    await chmod(join(dir, image.digest, "tree"), 0o555);
    const cache = openImageCache({ dir, store, maxBytes: 1e9 });
    const lease = await cache.ensure(image);
    expect(await readdir(lease.dir)).toEqual(["b.py"]);
    expect(await readdir(dir)).toEqual([image.digest]);
  });

  test("an image that does not have its digest is refused, leaves nothing, and is tried again", async () => {
    const good = await publish({ "c.py": "x = 3\n" });
    const bytes = await store.read(good.objectKey);
    const other = await publish({ "c.py": "x = 4\n" });
    await store.put(good.objectKey, await store.read(other.objectKey));
    const dir = fresh();
    const cache = openImageCache({ dir, store, maxBytes: 1e9 });
    const both = Promise.all([cache.ensure(good), cache.ensure(good)]);
    await expect(both).rejects.toMatchObject({ name: "ImageDamagedError" });
    expect(await readdir(dir)).toEqual([]);
    await store.put(good.objectKey, bytes);
    expect(await readdir((await cache.ensure(good)).dir)).toEqual(["c.py"]);
  });

  test.each([
    ["cut short", (bytes: Buffer) => bytes.subarray(0, -20)],
    ["not zstd", () => Buffer.from("hello")],
    ["with a bit flipped", (bytes: Buffer) => flipped(bytes, 40)],
  ])("an object that is %s is refused", async (_name, damage) => {
    const image = await publish({ "d.py": "x = 4\n".repeat(500) });
    await store.put(image.objectKey, damage(await store.read(image.objectKey)));
    const cache = openImageCache({ dir: fresh(), store, maxBytes: 1e9 });
    await expect(cache.ensure(image)).rejects.toMatchObject({ name: "ImageDamagedError" });
  });

  test("the least recently used goes first, never one in use", async () => {
    const images = await Promise.all(["1", "2", "3"].map((body) => publish({ f: body.repeat(1000) })));
    const [a, b, c] = images as [ImageRef, ImageRef, ImageRef];
    const dir = fresh();
    const cache = openImageCache({ dir, store, maxBytes: 2000 });
    const first = await cache.ensure(a);
    (await cache.ensure(b)).release();
    const third = await cache.ensure(c);
    await cache.close();
    expect((await readdir(dir)).sort()).toEqual([a.digest, c.digest].sort());

    const reopened = openImageCache({ dir, store, maxBytes: 2000 });
    (await reopened.ensure(a)).release();
    (await reopened.ensure(b)).release();
    await reopened.close();
    expect((await readdir(dir)).sort()).toEqual([a.digest, b.digest].sort());
    first.release();
    third.release();
  });

  test("an image over the whole budget is kept while it is used", async () => {
    const image = await publish({ big: "x".repeat(5000) });
    const dir = fresh();
    const cache = openImageCache({ dir, store, maxBytes: 100 });
    const lease = await cache.ensure(image);
    expect(await readdir(lease.dir)).toEqual(["big"]);
    lease.release();
    lease.release();
    await cache.close();
    expect(await readdir(dir)).toEqual([]);
    expect(await readdir((await cache.ensure(image)).dir)).toEqual(["big"]);
  });
});

describe("an image with a layer", () => {
  async function withLayer(files: Record<string, string>, layer: Record<string, string>): Promise<ImageRef> {
    const base = await publish(layer);
    return { ...(await publish(files)), layer: { digest: base.digest, objectKey: base.objectKey } };
  }

  test("is combined from both, read-only, without a copy", async () => {
    const dir = fresh();
    await using cache = closing(openImageCache({ dir, store, maxBytes: 1e6 }));
    const files = { "src/a.js": "a", "packages/x/index.js": "x", "node_modules/stale/index.js": "stale" };
    const layer = { "node_modules/m/index.js": "m", "packages/x/node_modules/n/index.js": "n" };
    const image = await withLayer(files, layer);
    const lease = await cache.ensure(image);
    const names = (await readdir(lease.dir, { recursive: true, withFileTypes: true })).filter((one) => one.isFile());
    const paths = names.map((one) => join(one.parentPath, one.name).slice(lease.dir.length + 1)).sort();
    expect(paths).toEqual(
      ["node_modules/m/index.js", "packages/x/index.js", "packages/x/node_modules/n/index.js", "src/a.js"].sort(),
    );
    const linked = await stat(join(lease.dir, "node_modules/m/index.js"));
    const own = await stat(join(dir, image.layer!.digest, "tree/node_modules/m/index.js"));
    expect([linked.ino, linked.mode & 0o777]).toEqual([own.ino, 0o444]);
    const folders = ["", "node_modules", "node_modules/m", "packages", "packages/x/node_modules/n"];
    const modes = folders.map(async (name) => (await lstat(join(lease.dir, name))).mode & 0o777);
    expect(await Promise.all(modes)).toEqual(folders.map(() => 0o555));
  });

  test("keeps its layer for as long as it exists, also over a restart", async () => {
    const dir = fresh();
    const image = await withLayer({ "a.js": "a".repeat(400) }, { "node_modules/m.js": "m".repeat(400) });
    {
      await using first = closing(openImageCache({ dir, store, maxBytes: 1_000 }));
      (await first.ensure(image)).release();
    }
    await using cache = closing(openImageCache({ dir, store, maxBytes: 1_000 }));
    // Fills the cache: the image is evicted first, because its layer becomes idle only then.
    (await cache.ensure(await publish({ b: "b".repeat(300) }))).release();
    const left = async () => (await readdir(dir)).filter((name) => /^[0-9a-f]{64}$/.test(name));
    await waitUntil(async () => (await left()).length === 2, { what: "the image to be evicted" });
    expect(await left()).toContain(image.layer!.digest);
    (await cache.ensure(await publish({ c: "c".repeat(950) }))).release();
    await cache.close();
    expect(await left()).toHaveLength(1);
  });

  test("the same files with another layer are another image; a missing layer is reported", async () => {
    await using cache = closing(openImageCache({ dir: fresh(), store, maxBytes: 1e6 }));
    const one = await withLayer({ "a.js": "a" }, { "node_modules/m.js": "1" });
    const other = { ...one, layer: (await withLayer({ "a.js": "a" }, { "node_modules/m.js": "2" })).layer! };
    const texts = [one, other].map(async (image) =>
      readFile(join((await cache.ensure(image)).dir, "node_modules/m.js")),
    );
    expect((await Promise.all(texts)).map(String)).toEqual(["1", "2"]);
    const lost = { ...one, layer: { digest: "0".repeat(64), objectKey: "org/layers/lost" } };
    await expect(cache.ensure(lost)).rejects.toThrow();
  });
});

function closing(cache: ImageCache): ImageCache & AsyncDisposable {
  return { ...cache, [Symbol.asyncDispose]: () => cache.close() };
}
