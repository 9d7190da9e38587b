// A directory that was installed here becomes a cached image in place, and no other process can still change it.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, statSync } from "node:fs";
import {
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createFilesystemBlobStore, type BlobStore } from "@dari/blobs";
import { removeTree } from "@dari/native";
import { openImageCache } from "../src/index.ts";
import { ImageTooLargeError, packImage } from "../src/image/pack-image.ts";
import { unpackImage } from "../src/image/unpack-image.ts";
import { temporaryDirectory, type TemporaryDirectory } from "./host.ts";

let temporary: TemporaryDirectory;
let store: BlobStore;
let counter = 0;
const fresh = (): string => join(temporary.path, `a${(counter += 1)}`);
const isRoot = process.geteuid!() === 0;
const stranger = 12_345;

beforeAll(async () => {
  temporary = await temporaryDirectory();
  store = createFilesystemBlobStore({ root: fresh() });
});
afterAll(() => temporary[Symbol.asyncDispose]());

async function tree(files: Record<string, string | Buffer>, dir = fresh()): Promise<string> {
  for (const [name, body] of Object.entries(files)) {
    await mkdir(join(dir, name, ".."), { recursive: true });
    await writeFile(join(dir, name), body);
  }
  return dir;
}

/** What an installer may leave, and where else it can be reached. */
async function hostileTree(): Promise<{ dir: string; elsewhere: string }> {
  const dir = await tree({
    "node_modules/a/index.js": "a",
    "node_modules/.bin/run": "#!/bin/sh",
    "node_modules/large": Buffer.alloc(9 * 1024 ** 2, "large"),
    "node_modules/linked": "linked",
    "node_modules/back\\slash": "x",
    "node_modules/caf\u00e9": "first",
    "node_modules/cafe\u0301": "second",
    "node_modules/back\\slashes/in/it": "x",
  });
  const at = (name: string): string => join(dir, "node_modules", name);
  const elsewhere = `${dir}-elsewhere`;
  await link(at("linked"), elsewhere);
  await chmod(at(".bin/run"), 0o4777);
  await chmod(at("a/index.js"), 0o666);
  await chmod(at("a"), 0o1777);
  await symlink("../a", at(".bin/inside"));
  await symlink("/etc/passwd", at(".bin/outside"));
  execFileSync("mkfifo", [at("pipe")]);
  await mkdir(Buffer.concat([Buffer.from(`${dir}/bytes-`), Buffer.from([0xff])]));
  await writeFile(Buffer.concat([Buffer.from(`${dir}/bytes-`), Buffer.from([0xff]), Buffer.from("/x")]), "x");
  if (isRoot) for (const name of ["", "a", "a/index.js", "large"]) await chown(at(name), stranger, stranger);
  return { dir, elsewhere };
}

/** Returns everything that a guest can see of it, except times. */
async function described(dir: string): Promise<string[]> {
  const lines: string[] = [];
  for (const entry of ["", ...(await readdir(dir, { recursive: true })).sort()]) {
    const path = join(dir, entry);
    const { mode, uid, gid, nlink } = await lstat(path);
    const kind = (await lstat(path)).isSymbolicLink() ? await readlink(path) : (mode & 0o7777).toString(8);
    const isFile = (await lstat(path)).isFile();
    const body = isFile
      ? createHash("sha256")
          .update(await readFile(path))
          .digest("hex")
      : "";
    lines.push([entry, kind, uid, gid, isFile ? nlink : "", body].join(" "));
  }
  return lines;
}

describe("packing that takes over the directory", () => {
  test("leaves what unpacking gives: read-only, this process's, of one name each, and nothing else", async () => {
    const { dir, elsewhere } = await hostileTree();
    const whole = await packImage({ dir, file: fresh() });
    const file = fresh();
    const packed = await packImage({ dir, file, takeOver: true });
    expect(packed.digest).toBe(whole.digest);
    expect(packed.omitted).toEqual(whole.omitted);
    const out = fresh();
    const unpacked = await unpackImage({ source: createReadStream(file), digest: packed.digest, dir: out });
    expect(unpacked.bytes).toBe(packed.unpackedBytes);
    expect(await described(dir)).toEqual(await described(out));
    await writeFile(elsewhere, "changed");
    expect(await readFile(join(dir, "node_modules/linked"), "utf8")).toBe("linked");
  });

  test("names that unpacking refuses are left out and reported", async () => {
    const { dir } = await hostileTree();
    const { omitted } = await packImage({ dir, file: fresh() });
    expect(omitted).toEqual([
      expect.stringMatching(/^the path "bytes-.*" is not valid UTF-8$/),
      "node_modules/.bin/outside: a link that leaves the image",
      'the path "node_modules/back\\\\slash" contains a backslash',
      'the path "node_modules/back\\\\slashes" contains a backslash',
      'duplicate path "node_modules/caf\u00e9"',
      "node_modules/pipe: neither a file, a directory nor a link",
    ]);
  });

  test("a link to a target that is not UTF-8 is left out: unpacking would change it", async () => {
    const dir = await tree({ "node_modules/m.js": "m" });
    await symlink(Buffer.from([0x61, 0xff]), join(dir, "node_modules/odd"));
    const { omitted } = await packImage({ dir, file: fresh(), takeOver: true });
    expect(omitted).toEqual(["node_modules/odd: a link to what is not valid UTF-8"]);
    expect(await readdir(join(dir, "node_modules"))).toEqual(["m.js"]);
  });

  test("a file with two names that is larger than the image limit is not copied", async () => {
    const dir = await tree({ "node_modules/m.js": "m" });
    const sparse = join(dir, "node_modules/sparse");
    await writeFile(sparse, "");
    await link(sparse, `${dir}-second`);
    await truncate(sparse, 2 ** 40);
    const packing = packImage({ dir, file: fresh(), takeOver: true });
    await expect(packing).rejects.toThrow(ImageTooLargeError);
    expect((await readdir(join(dir, "node_modules"))).sort()).toEqual(["m.js", "sparse"]);
  });

  test("paths that are too long are left out", async () => {
    const dir = await tree({ "node_modules/m.js": "m" });
    const step = "d".repeat(200);
    const script = `for i in {1..25}; do mkdir ${step} && cd -P ${step} && echo x > f || exit 1; done`;
    execFileSync("bash", ["-c", script], { cwd: join(dir, "node_modules") });
    const [file, out] = [fresh(), fresh()];
    const { omitted, digest } = await packImage({ dir, file, takeOver: true });
    expect(omitted).toEqual([expect.stringMatching(/is longer than 3072 bytes$/)]);
    await unpackImage({ source: createReadStream(file), digest, dir: out });
    expect(await described(dir)).toEqual(await described(out));
  });

  test("files without permissions are read as well", async () => {
    const dir = await tree({ "node_modules/closed/index.js": "x" });
    await chmod(join(dir, "node_modules/closed/index.js"), 0o100);
    await chmod(join(dir, "node_modules/closed"), 0);
    const { entries } = await packImage({ dir, file: fresh(), takeOver: true });
    expect(entries).toBe(3);
    expect((await lstat(join(dir, "node_modules/closed/index.js"))).mode & 0o7777).toBe(0o555);
  });
});

describe("adopting into the cache", () => {
  const pack = (dir: string): ReturnType<typeof packImage> => packImage({ dir, file: fresh(), takeOver: true });

  test("nothing is downloaded, also after a restart; the directory is no longer at its old path", async () => {
    const [dir, made] = [fresh(), await tree({ "node_modules/m.js": "m" })];
    const inode = (await lstat(join(made, "node_modules/m.js"))).ino;
    const cache = openImageCache({ dir, store, maxBytes: 1e6 });
    const { packed, lease } = await cache.adopt(made, pack);
    await expect(lstat(made)).rejects.toThrow("ENOENT");
    expect(await readdir(dir)).toEqual([packed.digest]);
    const image = { digest: packed.digest, objectKey: "org/layers/nowhere" };
    expect((await cache.ensure(image)).dir).toBe(lease.dir);
    await cache.close();
    const again = await openImageCache({ dir, store, maxBytes: 1e6 }).ensure(image);
    expect((await lstat(join(again.dir, "node_modules/m.js"))).ino).toBe(inode);
  });

  test("a process that still writes by the old path, or through an old name, reaches nothing", async () => {
    const made = await tree({ "node_modules/m.js": "m", "node_modules/n.js": "n" });
    const [outer, path] = [`${made}-outer`, join(made, "node_modules/m.js")];
    await link(join(made, "node_modules/n.js"), outer);
    const cache = openImageCache({ dir: fresh(), store, maxBytes: 1e6 });
    const { lease } = await cache.adopt(made, async (dir) => {
      await expect(open(path, "w")).rejects.toThrow("ENOENT");
      const packed = await pack(dir);
      await writeFile(outer, "changed");
      return packed;
    });
    expect(await readFile(join(lease.dir, "node_modules/n.js"), "utf8")).toBe("n");
  });

  test("when packing fails nothing is kept", async () => {
    const [dir, made] = [fresh(), await tree({ "node_modules/m.js": "m" })];
    const cache = openImageCache({ dir, store, maxBytes: 1e6 });
    const failing = async (at: string): Promise<never> => {
      await pack(at);
      throw new Error("no room");
    };
    await expect(cache.adopt(made, failing)).rejects.toThrow("no room");
    expect(await readdir(dir)).toEqual([]);
  });

  test("what a crash left of it is removed", async () => {
    const dir = fresh();
    await tree({ ".adopt-dead/tree/node_modules/m.js": "m", ".adopt-dead/complete.json": "{}" }, dir);
    await chmod(join(dir, ".adopt-dead/tree/node_modules"), 0o555);
    const cache = openImageCache({ dir, store, maxBytes: 1e6 });
    const { packed } = await cache.adopt(await tree({ a: "a" }), pack);
    expect(await readdir(dir)).toEqual([packed.digest]);
  });

  test("the same image built twice concurrently is kept once", async () => {
    const [dir, files] = [fresh(), { "node_modules/m.js": "m" }];
    const cache = openImageCache({ dir, store, maxBytes: 1e6 });
    const both = await Promise.all([cache.adopt(await tree(files), pack), cache.adopt(await tree(files), pack)]);
    expect(both[0].lease.dir).toBe(both[1].lease.dir);
    expect(await readFile(join(both[0].lease.dir, "node_modules/m.js"), "utf8")).toBe("m");
    expect(await readdir(dir)).toEqual([both[0].packed.digest]);
  });

  test("an image is kept although it cannot be downloaded at that time", async () => {
    const answer = Promise.withResolvers<never>();
    const cache = openImageCache({ dir: fresh(), store: { ...store, get: () => answer.promise }, maxBytes: 1e6 });
    const files = { "node_modules/m.js": "m" };
    const { digest } = await packImage({ dir: await tree(files), file: fresh() });
    let fetching: Promise<unknown> | undefined;
    const { lease } = await cache.adopt(await tree(files), async (dir) => {
      const packed = await pack(dir);
      fetching = expect(cache.ensure({ digest, objectKey: "org/layers/gone" })).rejects.toThrow("gone");
      setImmediate(() => setImmediate(answer.reject, new Error("gone")));
      return packed;
    });
    await fetching;
    expect(await readFile(join(lease.dir, "node_modules/m.js"), "utf8")).toBe("m");
  });

  test("it counts towards the limit: idle images are evicted for it, and it is evicted later", async () => {
    const dir = fresh();
    const cache = openImageCache({ dir, store, maxBytes: 1_500 });
    const adopt = async (letter: string) => cache.adopt(await tree({ f: letter.repeat(1_000) }), pack);
    const [first, second] = [await adopt("1"), await adopt("2")];
    expect((await readdir(dir)).sort()).toEqual([first.packed.digest, second.packed.digest].sort());
    first.lease.release();
    await cache.close();
    expect(await readdir(dir)).toEqual([second.packed.digest]);
  });

  /** Does nothing if this machine has only one. */
  async function onAnotherFileSystem(use: (far: string) => Promise<void>): Promise<void> {
    const other = "/dev/shm";
    if (statSync(other, { throwIfNoEntry: false })?.dev === statSync(tmpdir()).dev) return;
    const far = await mkdtemp(join(other, "dari-adopt-")).catch(() => undefined);
    if (far === undefined) return;
    await use(far).finally(() => removeTree(far));
  }

  test("from another file system it is copied", () =>
    onAnotherFileSystem(async (far) => {
      const made = join(far, "made");
      const { dir: hostile } = await hostileTree();
      execFileSync("cp", ["-a", hostile, made]);
      const cache = openImageCache({ dir: fresh(), store, maxBytes: 1e9 });
      const { packed, lease } = await cache.adopt(made, pack);
      const near = await packImage({ dir: hostile, file: fresh(), takeOver: true });
      expect(packed.digest).toBe(near.digest);
      expect(await described(lease.dir)).toEqual(await described(hostile));
    }));

  test("from another file system, at most the image limit is copied", () =>
    onAnotherFileSystem(async (far) => {
      const [dir, made] = [fresh(), await tree({ "node_modules/sparse": "" }, join(far, "made"))];
      await truncate(join(made, "node_modules/sparse"), 2 ** 40);
      const cache = openImageCache({ dir, store, maxBytes: 1e9 });
      await expect(cache.adopt(made, pack)).rejects.toThrow(ImageTooLargeError);
      expect(await readdir(dir)).toEqual([]);
    }));
});
