// Writes a ZIP archive as a stream of bytes: deflated, with data descriptors, and ZIP64 for large sizes. The same
// entries give the same bytes: every time is the format's first day.

import { pipeline } from "node:stream/promises";
import { crc32, createDeflateRaw } from "node:zlib";
import type { ArchiveEntry } from "./archive-entry.ts";

const max32 = 0xffffffff;
const max16 = 0xffff;
/** Deflate can make incompressible content slightly longer. Files above this size get 64-bit sizes. */
const smallBytesMax = 0xffff0000;
const firstDay = 0x21;
/** Sizes follow the content; names are UTF-8. */
const flags = 0x0808;
const deflated = 8;
const stored = 0;
const versionPlain = 20;
const versionZip64 = 45;
const madeOnUnix = 3;

interface Written {
  readonly name: Buffer;
  readonly mode: number;
  readonly method: number;
  readonly crc: number;
  readonly packedBytes: number;
  readonly sizeBytes: number;
  readonly offset: number;
}

export async function* writeZip(entries: Iterable<ArchiveEntry>): AsyncGenerator<Uint8Array> {
  const directory: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const name = Buffer.from(entry.type === "directory" ? `${entry.path}/` : entry.path);
    const method = entry.type === "file" && entry.sizeBytes > 0 ? deflated : stored;
    const isBig = entry.sizeBytes > smallBytesMax;
    const head = localHeader(name, method, isBig);
    yield head;
    const counts = { crc: 0, packedBytes: 0, sizeBytes: 0 };
    yield* contentOf(entry, counts);
    const tail = dataDescriptor(counts, isBig);
    yield tail;
    directory.push(centralHeader({ name, mode: unixMode(entry), method, ...counts, offset }));
    offset += head.length + counts.packedBytes + tail.length;
  }
  let bytes = 0;
  for (const header of directory) {
    bytes += header.length;
    yield header;
  }
  yield endOfDirectory(directory.length, bytes, offset);
}

interface Counts {
  crc: number;
  packedBytes: number;
  sizeBytes: number;
}

async function* contentOf(entry: ArchiveEntry, counts: Counts): AsyncGenerator<Uint8Array> {
  if (entry.type === "symlink") {
    const target = Buffer.from(entry.target);
    Object.assign(counts, { crc: crc32(target), packedBytes: target.length, sizeBytes: target.length });
    yield target;
  }
  if (entry.type !== "file" || entry.sizeBytes === 0) return;
  const deflate = createDeflateRaw();
  const feeding = pipeline(counted(await entry.open(), counts), deflate);
  // The read below throws the same error.
  feeding.catch(() => undefined);
  for await (const piece of deflate as AsyncIterable<Buffer>) {
    counts.packedBytes += piece.length;
    yield piece;
  }
  await feeding;
}

async function* counted(content: AsyncIterable<Uint8Array>, counts: Counts): AsyncGenerator<Uint8Array> {
  for await (const piece of content) {
    counts.crc = crc32(piece, counts.crc);
    counts.sizeBytes += piece.byteLength;
    yield piece;
  }
}

/** Returns the file's type and permissions in Unix format. */
function unixMode({ type, mode }: ArchiveEntry): number {
  return { file: 0o100000, directory: 0o040000, symlink: 0o120000 }[type] | mode;
}

function localHeader(name: Buffer, method: number, isBig: boolean): Buffer {
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(isBig ? versionZip64 : versionPlain, 4);
  header.writeUInt16LE(flags, 6);
  header.writeUInt16LE(method, 8);
  header.writeUInt16LE(firstDay, 12);
  header.writeUInt16LE(name.length, 26);
  if (!isBig) return Buffer.concat([header, name]);
  header.writeUInt32LE(max32, 18);
  header.writeUInt32LE(max32, 22);
  // The sizes are in the descriptor. This field says that they have 64 bits.
  const extra = zip64Extra([0, 0]);
  header.writeUInt16LE(extra.length, 28);
  return Buffer.concat([header, name, extra]);
}

function dataDescriptor({ crc, packedBytes, sizeBytes }: Counts, isBig: boolean): Buffer {
  const descriptor = Buffer.alloc(isBig ? 24 : 16);
  descriptor.writeUInt32LE(0x08074b50, 0);
  descriptor.writeUInt32LE(crc, 4);
  if (isBig) {
    descriptor.writeBigUInt64LE(BigInt(packedBytes), 8);
    descriptor.writeBigUInt64LE(BigInt(sizeBytes), 16);
  } else {
    descriptor.writeUInt32LE(packedBytes, 8);
    descriptor.writeUInt32LE(sizeBytes, 12);
  }
  return descriptor;
}

function centralHeader({ name, mode, method, crc, packedBytes, sizeBytes, offset }: Written): Buffer {
  const isBig = sizeBytes > smallBytesMax;
  const large = [...(isBig ? [sizeBytes, packedBytes] : []), ...(offset >= max32 ? [offset] : [])];
  const extra = large.length === 0 ? Buffer.alloc(0) : zip64Extra(large);
  const version = large.length === 0 ? versionPlain : versionZip64;
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE((madeOnUnix << 8) | version, 4);
  header.writeUInt16LE(version, 6);
  header.writeUInt16LE(flags, 8);
  header.writeUInt16LE(method, 10);
  header.writeUInt16LE(firstDay, 14);
  header.writeUInt32LE(crc, 16);
  header.writeUInt32LE(isBig ? max32 : packedBytes, 20);
  header.writeUInt32LE(isBig ? max32 : sizeBytes, 24);
  header.writeUInt16LE(name.length, 28);
  header.writeUInt16LE(extra.length, 30);
  header.writeUInt32LE((mode << 16) >>> 0, 38);
  header.writeUInt32LE(Math.min(offset, max32), 42);
  return Buffer.concat([header, name, extra]);
}

function zip64Extra(values: readonly number[]): Buffer {
  const extra = Buffer.alloc(4 + 8 * values.length);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(8 * values.length, 2);
  values.forEach((value, i) => extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i));
  return extra;
}

function endOfDirectory(count: number, bytes: number, offset: number): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(count, max16), 8);
  end.writeUInt16LE(Math.min(count, max16), 10);
  end.writeUInt32LE(Math.min(bytes, max32), 12);
  end.writeUInt32LE(Math.min(offset, max32), 16);
  if (count < max16 && bytes < max32 && offset < max32) return end;
  const end64 = Buffer.alloc(56);
  end64.writeUInt32LE(0x06064b50, 0);
  end64.writeBigUInt64LE(44n, 4);
  end64.writeUInt16LE((madeOnUnix << 8) | versionZip64, 12);
  end64.writeUInt16LE(versionZip64, 14);
  end64.writeBigUInt64LE(BigInt(count), 24);
  end64.writeBigUInt64LE(BigInt(count), 32);
  end64.writeBigUInt64LE(BigInt(bytes), 40);
  end64.writeBigUInt64LE(BigInt(offset), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(offset + bytes), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([end64, locator, end]);
}
