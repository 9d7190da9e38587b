// The layout of a snapshot object: header, manifest, pack. docs/snapshot-format.md describes every byte.

import type { BlobStore } from "@dari/blobs";
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { zstdCompress, zstdDecompress } from "node:zlib";
import { SnapshotDamagedError, WorkspaceLimitError } from "../errors.ts";
import { pieceBytesMin } from "./frame.ts";
import { readObject } from "./read-object.ts";

const magic = Buffer.from("DARISNAP", "latin1");
const formatVersion = 1;
const sealedBytes = 32;
export const headerBytes = 64;

const MiB = 1024 * 1024;
/** Maximum size of the manifest's JSON, and of its compressed form. */
export const manifestBytesMax = 256 * MiB;
/** Size of the first read. It nearly always contains a turn's whole manifest, so that one request is enough. */
const firstReadBytes = 128 * 1024;
const onePieceBytesMax = 16 * MiB;

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

export interface SnapshotHeader {
  readonly manifestStoredBytes: number;
  readonly manifestBytes: number;
  readonly packBytes: number;
  readonly seal: Buffer;
}

/** Returns header and manifest for the start of an object, before a pack of `packBytes`. */
export async function encodeHead(manifestJson: string, packBytes: number): Promise<Buffer> {
  const raw = Buffer.from(manifestJson);
  if (raw.length > manifestBytesMax) {
    throw new WorkspaceLimitError(
      "names",
      "the names of all files together exceed the limit of one snapshot; use fewer or shorter names",
    );
  }
  const stored = await compress(raw);
  const header = Buffer.alloc(headerBytes);
  magic.copy(header, 0);
  header.writeUInt16BE(formatVersion, 8);
  header.writeUInt32BE(stored.length, 12);
  header.writeUInt32BE(raw.length, 16);
  header.writeBigUInt64BE(BigInt(packBytes), 20);
  sealOf(header, stored).copy(header, sealedBytes);
  return Buffer.concat([header, stored]);
}

/** @throws SnapshotDamagedError unless `bytes` begins with a header that this version can read. */
export function decodeHeader(objectKey: string, bytes: Buffer): SnapshotHeader {
  const damaged = (problem: string): SnapshotDamagedError => new SnapshotDamagedError(objectKey, problem);
  if (bytes.length < headerBytes) throw damaged("it is shorter than its header");
  if (!bytes.subarray(0, 8).equals(magic)) throw damaged("it is not a snapshot");
  const version = bytes.readUInt16BE(8);
  if (version !== formatVersion) throw damaged(`its format version is ${version}; this program reads ${formatVersion}`);
  const manifestStoredBytes = bytes.readUInt32BE(12);
  const manifestBytes = bytes.readUInt32BE(16);
  const packBytes = bytes.readBigUInt64BE(20);
  const lengthsAreGood = manifestStoredBytes <= manifestBytesMax && manifestBytes <= manifestBytesMax;
  if (!lengthsAreGood || manifestBytes === 0 || packBytes > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw damaged("its header contains impossible lengths");
  }
  const seal = bytes.subarray(sealedBytes, headerBytes);
  return { manifestStoredBytes, manifestBytes, packBytes: Number(packBytes), seal };
}

/**
 * Reads and checks the header and the manifest's JSON text of one object.
 * @throws SnapshotDamagedError
 */
export async function readHead(store: BlobStore, objectKey: string): Promise<{ header: SnapshotHeader; json: string }> {
  let bytes = await readObject(store, objectKey, 0, firstReadBytes);
  const header = decodeHeader(objectKey, bytes);
  const missing = headerBytes + header.manifestStoredBytes - bytes.length;
  if (missing > 0 && bytes.length === firstReadBytes) {
    bytes = Buffer.concat([bytes, await readObject(store, objectKey, bytes.length, missing)]);
  }
  return { header, json: await decodeManifestText(objectKey, header, bytes) };
}

/** Returns the manifest's JSON text from the first bytes of an object. */
export async function decodeManifestText(objectKey: string, header: SnapshotHeader, bytes: Buffer): Promise<string> {
  const stored = bytes.subarray(headerBytes, headerBytes + header.manifestStoredBytes);
  const isWhole = stored.length === header.manifestStoredBytes;
  if (!isWhole) throw new SnapshotDamagedError(objectKey, "its manifest is cut off");
  // Check the seal before decompression, so that only bytes that we wrote reach the decoder.
  if (!sealOf(bytes, stored).equals(header.seal)) throw new SnapshotDamagedError(objectKey, "its manifest was altered");
  const { manifestBytes } = header;
  // Decompress in one piece, because a large tree would have many pieces of the usual size. The piece is limited,
  // because a damaged header can contain any length.
  const chunkSize = Math.min(manifestBytes + pieceBytesMin, onePieceBytesMax);
  const raw = await decompress(stored, { maxOutputLength: manifestBytes, chunkSize }).catch((cause: unknown) => {
    throw new SnapshotDamagedError(objectKey, "its manifest cannot be decompressed", { cause });
  });
  if (raw.length !== manifestBytes) throw new SnapshotDamagedError(objectKey, "its manifest is too short");
  return raw.toString("utf8");
}

function sealOf(header: Buffer, storedManifest: Buffer): Buffer {
  return createHash("sha256").update(header.subarray(0, sealedBytes)).update(storedManifest).digest();
}
