// The reader accepts what the writer and other programs make, and refuses everything else.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { Readable } from "node:stream";
import { expect, test } from "@jest/globals";
import { pack } from "tar-stream";
import type { ArchiveEntry } from "./archive-entry.ts";
import { ArchiveRefusedError, readTar } from "./read-tar.ts";
import { writeTar } from "./write-tar.ts";

function entry(path: string, text: string, more: Partial<ArchiveEntry> = {}): ArchiveEntry {
  const bytes = Buffer.from(text);
  const open = async () => Readable.from([bytes], { objectMode: true });
  return { path, type: "file", mode: 0o644, sizeBytes: bytes.length, target: "", open, ...more };
}

async function* inPieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

async function readAll(bytes: Uint8Array, length = 700, skipping = false): Promise<unknown[]> {
  const entries: unknown[] = [];
  for await (const { content, ...entry } of readTar(inPieces(bytes, length))) {
    const body = skipping ? "" : (await buffer(content)).toString();
    entries.push([entry.path, entry.type, entry.mode, entry.target, body]);
  }
  return entries;
}

const long = `${"d".repeat(120)}/${"f".repeat(180)}`;
const entries = [
  entry("a.txt", "hello"),
  entry("bin", "", { type: "directory", mode: 0o755 }),
  entry("block", "b".repeat(512)),
  entry("closed", "c", { mode: 0 }),
  entry(long, "deep", { mode: 0o755 }),
  entry("empty", ""),
  entry("link", "", { type: "symlink", mode: 0o777, target: `${"x/".repeat(90)}ü` }),
  entry("new\nline", "n"),
  entry("ünï/文件 😀", "u"),
];

test.each([1, 511, 512, 100_000])("what was written is read, in pieces of %i bytes", async (length) => {
  const bytes = await buffer(writeTar(entries));
  const expected = await Promise.all(
    entries.map(async ({ path, type, mode, target, open }) => [
      path,
      type,
      mode,
      target,
      type === "file" ? (await buffer(await open())).toString() : "",
    ]),
  );
  expect(await readAll(bytes, length)).toEqual(expected);
  expect(await readAll(bytes, length, true)).toHaveLength(entries.length);
});

test("archives of another tar program are read, but none of its extensions", async () => {
  const dir = mkdtempSync(join(tmpdir(), "dari-read-tar-"));
  try {
    writeFileSync(join(dir, "f"), "file", { mode: 0o640 });
    symlinkSync("f", join(dir, "l"));
    const tar = (...args: string[]) => execFileSync("tar", args, { cwd: dir });
    const bytes = tar("-cf", "-", "--format=ustar", "f", "l");
    expect(await readAll(bytes)).toEqual([
      ["f", "file", 0o640, "", "file"],
      ["l", "symlink", 0o777, "f", ""],
    ]);
    writeFileSync(join(dir, "n".repeat(120)), "");
    await expect(readAll(tar("-cf", "-", "--format=gnu", "n".repeat(120)))).rejects.toThrow(ArchiveRefusedError);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

/** An archive of one entry with these PAX records. */
function withRecords(pax: Record<string, string>): Promise<Buffer> {
  const archive = pack();
  archive.entry({ name: "a", pax }, "x");
  archive.finalize();
  return buffer(archive);
}

test("every beginning of an archive is refused, and so is what follows its end", async () => {
  const bytes = await buffer(writeTar(entries.slice(0, 5)));
  for (let length = 0; length < bytes.length; length += 64) {
    await expect(readAll(bytes.subarray(0, length))).rejects.toThrow(ArchiveRefusedError);
    await expect(readAll(bytes.subarray(0, length), 100_000)).rejects.toThrow(ArchiveRefusedError);
  }
  await expect(readAll(Buffer.concat([bytes, Buffer.from("more")]))).rejects.toThrow(ArchiveRefusedError);
  await expect(readAll(Buffer.concat([bytes, Buffer.alloc(200_000)]))).rejects.toThrow("after the archive's end");
  for (const more of [entries.slice(1, 2), entries.slice(4, 5)]) {
    const second = await buffer(writeTar(more));
    await expect(readAll(Buffer.concat([bytes, second]))).rejects.toThrow("after the archive's end");
  }
});

test("a flipped bit of a header is refused, except in the filler of its checksum", async () => {
  const bytes = await buffer(writeTar(entries.slice(0, 1)));
  for (let at = 0; at < 512; at += 7) {
    const flipped = Buffer.from(bytes);
    flipped[at] = (flipped[at] ?? 0) ^ 0x01;
    const reading = readAll(flipped);
    if (at >= 154 && at < 156) await expect(reading).resolves.toEqual([["a.txt", "file", 0o644, "", "hello"]]);
    else await expect(reading).rejects.toThrow(ArchiveRefusedError);
  }
});

test("a name that is not UTF-8 is refused", async () => {
  const bytes = await buffer(writeTar(entries.slice(0, 1)));
  bytes[0] = 0xff;
  // The checksum is the sum of the header's bytes; "a" was 0x61.
  const sum = parseInt(bytes.toString("latin1", 148, 154), 8) + 0xff - 0x61;
  bytes.write(sum.toString(8).padStart(6, "0"), 148);
  await expect(readAll(bytes)).rejects.toThrow("a name is not UTF-8");
});

test.each([["-1"], ["-512"], ["x"], [String(2 ** 53)]])("the size %s is refused", async (size) => {
  await expect(readAll(await withRecords({ size }))).rejects.toThrow(ArchiveRefusedError);
});

test("a header extension that is unknown or damaged, and one after another without an entry, are refused", async () => {
  await expect(readAll(await withRecords({ mtime: "1" }))).rejects.toThrow("has an unknown field");
  const damaged = await withRecords({ path: "b" });
  damaged.write("x", 512);
  await expect(readAll(damaged)).rejects.toThrow("a header is damaged");
  const extension = (await withRecords({ path: "p".repeat(2_000) })).subarray(0, 512 + 2_048);
  const many = Buffer.concat(Array.from({ length: 100 }, () => extension));
  await expect(readAll(many)).rejects.toThrow("too large");
});

test.each(["link", "fifo", "character-device", "block-device", "contiguous-file"] as const)(
  "an entry of the type %s is refused",
  async (type) => {
    const archive = pack();
    archive.entry({ name: "a", type, linkname: "/etc/passwd" }, "");
    archive.finalize();
    await expect(readAll(await buffer(archive))).rejects.toThrow("unsupported type");
  },
);
