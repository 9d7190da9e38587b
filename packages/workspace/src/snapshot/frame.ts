// Frames: pieces of content in objects. Threads load this file, so it must not import the client of the object store,
// which is large.

import { hash } from "node:crypto";
import { promisify } from "node:util";
import { constants, zstdCompress, zstdCompressSync, zstdDecompress, zstdDecompressSync } from "node:zlib";
import { SnapshotDamagedError } from "../errors.ts";
import type { Frame } from "../tree/tree.ts";

const MiB = 1024 * 1024;

/** Small files are combined until a frame has this size, so that reading one file reads little else. */
export const frameTargetBytes = 256 * 1024;
/** Maximum size of a frame, decompressed. Files up to this size are one chunk. */
export const frameBytesMax = 8 * MiB;
/** Larger files are cut into chunks of this size, so that a small edit stores one chunk. */
export const chunkBytes = 4 * MiB;

const compressZstd = promisify(zstdCompress);
const decompressZstd = promisify(zstdDecompress);
const compression = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
/** The smallest output piece that zlib allows. With many small pieces, a restore takes a third longer. */
export const pieceBytesMin = 64;

/** Returns the stored form of `raw`: compressed, or unchanged if compression does not help. */
export async function encodeFrame(raw: Uint8Array): Promise<{ codec: Frame["codec"]; bytes: Uint8Array }> {
  return smallerOf(raw, await compressZstd(raw, { ...compression, chunkSize: raw.byteLength + pieceBytesMin }));
}

/** Encodes like `encodeFrame`, but synchronously: for a thread without other work. */
export function encodeFrameSync(raw: Uint8Array): { codec: Frame["codec"]; bytes: Uint8Array } {
  return smallerOf(raw, zstdCompressSync(raw, { ...compression, chunkSize: raw.byteLength + pieceBytesMin }));
}

function smallerOf(raw: Uint8Array, compressed: Uint8Array): { codec: Frame["codec"]; bytes: Uint8Array } {
  return compressed.length < raw.byteLength ? { codec: "zstd", bytes: compressed } : { codec: "stored", bytes: raw };
}

/**
 * Returns a frame's content from its stored bytes. Never allocates more than the frame's declared size.
 * @throws SnapshotDamagedError
 */
export async function decodeFrame(frame: Frame, bytes: Buffer): Promise<Buffer> {
  assertStored(frame, bytes);
  if (frame.codec === "stored") return bytes;
  const raw = await decompressZstd(bytes, boundsOf(frame)).catch((cause: unknown) => {
    throw undecodable(frame, cause);
  });
  return wholeFrame(frame, raw);
}

/** Decodes like `decodeFrame`, but synchronously: for a thread without other work. */
export function decodeFrameSync(frame: Frame, bytes: Buffer): Buffer {
  assertStored(frame, bytes);
  if (frame.codec === "stored") return bytes;
  let raw: Buffer;
  try {
    raw = zstdDecompressSync(bytes, boundsOf(frame));
  } catch (cause) {
    throw undecodable(frame, cause);
  }
  return wholeFrame(frame, raw);
}

function boundsOf({ sizeBytes }: Frame): { maxOutputLength: number; chunkSize: number } {
  return { maxOutputLength: sizeBytes, chunkSize: sizeBytes + pieceBytesMin };
}

/**
 * Checks stored bytes against their hash, if there is one, before they reach the decoder. @throws SnapshotDamagedError
 */
function assertStored({ objectKey, offset, storedBytes, sha256 }: Frame, bytes: Buffer): void {
  if (bytes.length !== storedBytes) throw new SnapshotDamagedError(objectKey, `it ends inside the frame at ${offset}`);
  if (sha256 === undefined || hash("sha256", bytes) === sha256) return;
  throw new SnapshotDamagedError(objectKey, `the frame at ${offset} is not what was stored`);
}

/** @throws SnapshotDamagedError unless `raw` has the frame's size. */
function wholeFrame({ objectKey, offset, sizeBytes }: Frame, raw: Buffer): Buffer {
  if (raw.length !== sizeBytes) throw new SnapshotDamagedError(objectKey, `the frame at ${offset} is too short`);
  return raw;
}

function undecodable({ objectKey, offset }: Frame, cause: unknown): SnapshotDamagedError {
  return new SnapshotDamagedError(objectKey, `the frame at ${offset} cannot be decompressed`, { cause });
}
