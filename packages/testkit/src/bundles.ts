// Creates bundles for tests, well-formed and hostile ones. Knows tar headers and none of our rules.

import { createWriteStream } from "node:fs";
import { writeFile } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGzip, gzipSync } from "node:zlib";
import { pack, type Header } from "tar-stream";

export type BundleEntry = Partial<Header> & { name: string; body?: string | Buffer };

export async function writeBundle(file: string, members: readonly BundleEntry[]): Promise<string> {
  const archive = pack();
  for (const { body, ...header } of members) {
    archive.entry({ mode: 0o644, mtime: new Date(0), ...header }, body ?? "");
  }
  archive.finalize();
  await pipeline(archive, createGzip(), createWriteStream(file));
  return file;
}

/** `{"src/agent.ts": "…"}` as entries. */
export function filesOf(files: Record<string, string | Buffer>): BundleEntry[] {
  return Object.entries(files).map(([name, body]) => ({ name, body }));
}

/** Returns a header block as tar writes it, for entries that no honest packer would write. */
export function rawHeader(name: string | Buffer, sizeBytes: number, typeflag = "0"): Buffer {
  const block = Buffer.alloc(512);
  Buffer.from(name).copy(block, 0);
  block.write("0000644\0", 100);
  block.write("0000000\0", 108);
  block.write("0000000\0", 116);
  block.write(`${sizeBytes.toString(8).padStart(11, "0")}\0`, 124);
  block.write("00000000000\0", 136);
  block.write("        ", 148);
  block.write(typeflag, 156);
  block.write("ustar\x0000", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

export async function writeRaw(file: string, blocks: readonly Buffer[]): Promise<string> {
  await writeFile(file, gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)])));
  return file;
}
