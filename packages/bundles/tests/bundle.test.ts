// Hostile bundles are refused with a reason, zip bombs early; good ones are unpacked unchanged.

import { lstat, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGzip, gzipSync } from "node:zlib";
import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { filesOf, rawHeader, writeBundle, writeRaw, type BundleEntry } from "@dari/testkit/bundles";
import { defaultBundleLimits, inspectBundle, unpackBundle } from "../src/index.ts";

const manifest = { name: "dari.yml", body: "name: a\n" };
let temporary: string;
let counter = 0;
const freshPath = (): string => join(temporary, `b${(counter += 1)}`);

beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), "dari-bundles-"));
});
afterAll(() => rm(temporary, { recursive: true }));

const small = { ...defaultBundleLimits, entries: 4, unpackedBytes: 4096, pathBytes: 64, manifestBytes: 64 };

const refusedMembers: [string, BundleEntry[], RegExp][] = [
  ["absolute path", [manifest, { name: "/etc/passwd", body: "x" }], /"\/etc\/passwd" is absolute/],
  ["drive path", [manifest, { name: "C:/x", body: "x" }], /is absolute/],
  ["parent path", [manifest, { name: "../x", body: "x" }], /"\.\.\/x" contains '\.\.'/],
  ["parent path inside", [manifest, { name: "a/../../x", body: "x" }], /contains '\.\.'/],
  ["parent directory", [manifest, { name: "a/..", type: "directory" }], /contains '\.\.'/],
  ["backslash", [manifest, { name: "a\\b", body: "x" }], /contains a backslash/],
  ["control character", [manifest, { name: "a\nb", body: "x" }], /control character/],
  ["NUL in a pax path", [manifest, { name: "x", pax: { path: "a\0b" }, body: "x" }], /contains NUL/],
  ["empty segment", [manifest, { name: "a//b", body: "x" }], /empty or '\.' segment/],
  ["dot segment", [manifest, { name: "a/./b", body: "x" }], /empty or '\.' segment/],
  ["long path", [manifest, { name: `a/${"b".repeat(80)}`, body: "x" }], /longer than 64 bytes/],
  ["symbolic link", [manifest, { name: "l", type: "symlink", linkname: "/etc" }], /"l" is a symbolic link/],
  ["hard link", [manifest, { name: "l", type: "link", linkname: "dari.yml" }], /"l" is a hard link/],
  ["fifo", [manifest, { name: "p", type: "fifo" }], /"p" is a fifo/],
  ["device", [manifest, { name: "d", type: "character-device" }], /"d" is a device/],
  ["block device", [manifest, { name: "d", type: "block-device" }], /"d" is a device/],
  ["contiguous file", [manifest, { name: "d", type: "contiguous-file" }], /unsupported type/],
  ["duplicate", [manifest, { name: "dari.yml", body: "y" }], /duplicate path "dari\.yml"/],
  ["duplicate by ./", [manifest, { name: "./dari.yml", body: "y" }], /duplicate path/],
  ["duplicate by NFC", [manifest, { name: "\u00e9", body: "1" }, { name: "e\u0301", body: "2" }], /duplicate path/],
  ["file as directory", filesOf({ a: "", "a/b": "" }), /both a file and a directory/],
  ["directory as file", filesOf({ "a/b": "", a: "" }), /both a file and a directory/],
  ["directory entry as file", [manifest, { name: "a", type: "directory" }, { name: "a", body: "x" }], /both a file/],
  ["entries", filesOf({ "1": "", "2": "", "3": "", "4": "", "5": "" }), /more than 4 files/],
  ["unpacked bytes", [manifest, { name: "a", body: "x".repeat(5000) }], /larger than 4096 bytes/],
  ["big manifest", [{ name: "dari.yml", body: "#".repeat(100) }], /dari\.yml is larger than 64 bytes/],
  ["no manifest", [{ name: "agent.py", body: "" }], /dari\.yml is missing at the root/],
  ["manifest elsewhere", [{ name: "top/dari.yml", body: "" }], /it is at "top\/dari\.yml"/],
  ["no entry", [], /empty/],
];

describe("refused bundles", () => {
  test.each(refusedMembers)("%s", async (_name, entries, reason) => {
    const file = await writeBundle(freshPath(), entries);
    const inspection = await inspectBundle({ file, limits: small });
    expect(inspection).toEqual({ ok: false, reason: expect.stringMatching(reason) });
  });

  test.each<[string, Buffer, RegExp]>([
    ["empty file", Buffer.alloc(0), /is empty/],
    ["not gzip", Buffer.from("PK\x03\x04 not a tar.gz at all"), /not a gzip archive/],
    ["gzip but not tar", gzipSync("x".repeat(2000)), /not a tar archive/],
    ["truncated gzip", gzipSync(rawHeader("dari.yml", 9)).subarray(0, 40), /is incomplete/],
    ["truncated tar", gzipSync(Buffer.concat([rawHeader("dari.yml", 60), Buffer.alloc(20)])), /is incomplete/],
    ["over bundleBytes", Buffer.alloc(5000, 1), /larger than 4096 bytes/],
    ["unknown type", gzipSync(Buffer.concat([rawHeader("s", 0, "S"), Buffer.alloc(1024)])), /unsupported type/],
    ["not UTF-8", gzipSync(rawHeader(Buffer.from([0x61, 0xff]), 0)), /not valid UTF-8/],
  ])("%s", async (_name, bytes, reason) => {
    const file = freshPath();
    await writeFile(file, bytes);
    const inspection = await inspectBundle({ file, limits: { ...small, bundleBytes: 4096 } });
    expect(inspection).toEqual({ ok: false, reason: expect.stringMatching(reason) });
  });

  test("an entry whose header claims a size above the limit is refused by its header", async () => {
    const file = await writeRaw(freshPath(), [rawHeader("dari.yml", 2 ** 33 - 1)]);
    expect(await inspectBundle({ file })).toEqual({ ok: false, reason: expect.stringContaining("larger than") });
  });
});

describe("compression bombs", () => {
  async function bomb(first: Buffer, zeroMiB: number): Promise<{ file: string; fed: () => number }> {
    const file = freshPath();
    const block = Buffer.alloc(1024 * 1024);
    function* blocks(): Generator<Buffer> {
      yield first;
      for (let i = 0; i < zeroMiB; i += 1) yield block;
    }
    await pipeline(Readable.from(blocks()), createGzip(), createWriteStream(file));
    return { file, fed: () => zeroMiB };
  }

  test.each<[string, Buffer, RegExp]>([
    ["in an entry", rawHeader("big", 2 ** 31), /larger than 1073741824 bytes/],
    ["after the last entry", rawHeader("dari.yml", 0), /headers are too large/],
    ["in a directory's data", rawHeader("d", 2 ** 31, "5"), /headers are too large/],
    ["in a pax header", rawHeader("pax", 2 ** 31, "x"), /not a tar archive, or it is damaged|headers are too large/],
  ])("%s stops early", async (_name, first, reason) => {
    const { file } = await bomb(first, 256);
    const before = process.cpuUsage();
    const inspection = await inspectBundle({ file });
    const used = process.cpuUsage(before);
    expect(inspection).toEqual({ ok: false, reason: expect.stringMatching(reason) });
    // Inflating 256 MiB takes well over 300 ms of CPU; stopping at the first MiB takes almost none.
    expect((used.user + used.system) / 1000).toBeLessThan(200);
  });
});

describe("accepted bundles", () => {
  test("dari.yml, modes, directories, ignored entries", async () => {
    const file = await writeBundle(freshPath(), [
      { name: "./", type: "directory" },
      { name: "./dari.yml", body: "name: \u00fc\n" },
      { name: "src", type: "directory" },
      { name: "src/", type: "directory" },
      { name: "src/run.sh", body: "#!/bin/sh\n", mode: 0o4777 },
      { name: "src/agent.py", body: "x = 1\n", mode: 0o600 },
      { name: ".env", body: "SECRET=1" },
      { name: "src/.env", body: "SECRET=1" },
      { name: ".dari/deploy-state.json", body: "{}" },
    ]);
    const inspection = await inspectBundle({ file });
    expect(inspection).toMatchObject({ ok: true, manifest: "name: \u00fc\n" });
    expect(inspection.ok && inspection.warnings).toHaveLength(3);
    expect(inspection.ok && inspection.entries).toEqual([
      { path: "dari.yml", sizeBytes: 9, mode: 0o644 },
      { path: "src/run.sh", sizeBytes: 10, mode: 0o755 },
      { path: "src/agent.py", sizeBytes: 6, mode: 0o644 },
    ]);
    const dir = freshPath();
    expect(await unpackBundle({ file, dir })).toMatchObject({ files: 3 });
    expect((await readdir(dir, { recursive: true })).sort()).toEqual(["dari.yml", "src", "src/agent.py", "src/run.sh"]);
    expect((await lstat(join(dir, "src/run.sh"))).mode & 0o7777).toBe(0o755);
    expect((await lstat(join(dir, "src/agent.py"))).mode & 0o7777).toBe(0o644);
    expect(await readFile(join(dir, "src/agent.py"), "utf8")).toBe("x = 1\n");
  });

  test("unpack refuses a directory that exists", async () => {
    const file = await writeBundle(freshPath(), [manifest]);
    const dir = freshPath();
    await unpackBundle({ file, dir });
    await expect(unpackBundle({ file, dir })).rejects.toMatchObject({ code: "EEXIST" });
  });

  test("long names in pax headers and many entries stay cheap", async () => {
    const long = `${"d".repeat(120)}/${"e".repeat(100)}`;
    const entries = Array.from({ length: 2000 }, (_, i) => ({ name: `${long}/${i}`, body: "x" }));
    const file = await writeBundle(freshPath(), [manifest, ...entries]);
    expect(await inspectBundle({ file })).toMatchObject({ ok: true, unpackedBytes: 2008 });
  });

  test("a signal that is aborted stops the reading", async () => {
    const file = await writeBundle(freshPath(), [manifest]);
    await expect(inspectBundle({ file, signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
  });
});
