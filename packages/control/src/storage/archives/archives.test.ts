// Archives are tested with other programs: what they unpack must equal the input.

import { execFileSync } from "node:child_process";
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { Readable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { ArchiveEntry } from "./archive-entry.ts";
import { writeTar } from "./write-tar.ts";
import { writeZip } from "./write-zip.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "dari-archives-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function entry(path: string, more: Partial<ArchiveEntry> & { text?: string | Buffer } = {}): ArchiveEntry {
  const content = Buffer.from(more.text ?? "");
  return {
    path,
    type: "file",
    mode: 0o644,
    sizeBytes: content.length,
    target: "",
    // In pieces, as contents arrive.
    open: async () => Readable.from([content.subarray(0, 3), content.subarray(3)], { objectMode: true }),
    ...more,
  };
}

const long = `${"d".repeat(120)}/${"f".repeat(180)}`;
const noise = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7919 + (i >> 3) * 104_729) & 255));
const entries: readonly ArchiveEntry[] = [
  entry("a.txt", { text: "hello\n" }),
  entry("bin", { type: "directory", mode: 0o755 }),
  entry("bin/run.sh", { text: "#!/bin/sh\n", mode: 0o755 }),
  entry("block", { text: Buffer.alloc(512, 1) }),
  entry("d".repeat(120), { type: "directory", mode: 0o700 }),
  entry(long, { text: "deep" }),
  entry("empty"),
  entry("link", { type: "symlink", mode: 0o777, target: "bin/run.sh" }),
  entry("link-long", { type: "symlink", mode: 0o777, target: `${"x/".repeat(90)}ü` }),
  entry("noise", { text: noise }),
  entry("sp ace", { text: "x", mode: 0o600 }),
  entry("ünï/文件 😀.txt", { text: "y" }),
];
const withParents = [...entries.slice(0, -1), entry("ünï", { type: "directory", mode: 0o755 }), ...entries.slice(-1)];

function expectUnpacked(at: string): void {
  const found = readdirSync(at, { recursive: true, encoding: "utf8" }).sort();
  expect(found).toEqual(withParents.map(({ path }) => path).sort());
  for (const { path, type, mode, target } of withParents) {
    const stat = lstatSync(join(at, path));
    if (type === "symlink") expect(readlinkSync(join(at, path))).toBe(target);
    else expect([path, stat.mode & 0o777]).toEqual([path, mode]);
  }
  expect(readFileSync(join(at, "a.txt"), "utf8")).toBe("hello\n");
  expect(readFileSync(join(at, long), "utf8")).toBe("deep");
  expect(readFileSync(join(at, "noise")).equals(noise)).toBe(true);
  expect(readFileSync(join(at, "block")).equals(Buffer.alloc(512, 1))).toBe(true);
}

test.each([
  ["tar", writeTar, "tar", ["-xpf"]],
  ["zip", writeZip, "unzip", ["-q"]],
] as const)(
  "%s: what is unpacked is what went in, and the bytes are the same every time",
  async (name, write, by, how) => {
    const bytes = await buffer(write(withParents));
    expect((await buffer(write(withParents))).equals(bytes)).toBe(true);
    const archive = join(dir, `all.${name}`);
    writeFileSync(archive, bytes);
    const at = mkdtempSync(join(dir, "out-"));
    execFileSync(by, [...how, archive], { cwd: at, env: { LC_ALL: "C.UTF-8", PATH: "/usr/bin:/bin" } });
    expectUnpacked(at);
  },
);

test("an empty archive is one", async () => {
  writeFileSync(join(dir, "none.tar"), await buffer(writeTar([])));
  expect(execFileSync("tar", ["-tf", join(dir, "none.tar")], { encoding: "utf8" })).toBe("");
  const zip = await buffer(writeZip([]));
  expect([zip.length, zip.readUInt32LE(0)]).toEqual([22, 0x06054b50]);
});

test("a ZIP of more entries than 16 bits count", async () => {
  const many = Array.from({ length: 65_600 }, (_, i) => entry(`f${i}`));
  const archive = join(dir, "many.zip");
  writeFileSync(archive, await buffer(writeZip(many)));
  const listed = execFileSync("zipinfo", ["-1", archive], { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
  expect(listed.trimEnd().split("\n")).toHaveLength(65_600);
});

test("a size that does not fit into octal digits is written in base 256", async () => {
  const head = writeTar([entry("huge", { sizeBytes: 8 * 1024 ** 3 })]);
  const first = Buffer.from((await head.next()).value as Uint8Array);
  await head.return(undefined);
  expect([first[124], first.readBigUInt64BE(128)]).toEqual([0x80, 8n * 1024n ** 3n]);
});

test("a content that cannot be read fails the archive", async () => {
  const broken = entry("a", { sizeBytes: 3, open: async () => Promise.reject(new Error("damaged")) });
  await expect(buffer(writeZip([broken]))).rejects.toThrow("damaged");
  async function* fails(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("x");
    throw new Error("cut");
  }
  await expect(buffer(writeZip([entry("a", { sizeBytes: 3, open: async () => fails() })]))).rejects.toThrow("cut");
});

test.each(["directory", "file", "symlink"] as const)("tar: a reader that stops does not collect a %s", async (type) => {
  let asked = 0;
  function* many(): Generator<ArchiveEntry> {
    for (; asked < 5_000; asked++) yield entry(`${"n".repeat(80)}${asked}`, { type, target: "" });
  }
  const archive = writeTar(many());
  await archive.next();
  // By then, everything that does not wait for the reader has happened.
  for (let i = 0; i < 100; i++) await new Promise(setImmediate);
  expect(asked).toBeLessThan(200);
  await archive.return(undefined);
  expect(asked).toBeLessThan(200);
  expect((await buffer(writeTar(many()))).length).toBeGreaterThan(512 * 4_000);
});
