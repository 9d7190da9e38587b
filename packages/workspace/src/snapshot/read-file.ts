// Streams one file of a saved tree without restoring anything else.

import type { BlobRange, BlobStore } from "@dari/blobs";
import { hash } from "node:crypto";
import { Readable } from "node:stream";
import { SnapshotDamagedError } from "../errors.ts";
import { decodeFrame } from "./frame.ts";
import { readObject } from "./read-object.ts";
import type { ChunkLocation, TreeEntry } from "../tree/tree.ts";

/**
 * Streams a file's bytes, or a range of them, including `end` (empty past the end of the file). Reads only the frames
 * that it needs, one at a time, and checks each. An altered frame ends the stream with SnapshotDamagedError.
 * @throws TypeError unless `entry` is a file of a saved tree.
 */
export async function readFile(store: BlobStore, entry: TreeEntry, range?: BlobRange): Promise<Readable> {
  const { type, location, path } = entry;
  if (type !== "file" || location === undefined) throw new TypeError(`${path} is not a file of a saved tree`);
  const start = range?.start ?? 0;
  const end = Math.min(range?.end ?? Number.POSITIVE_INFINITY, entry.sizeBytes - 1);
  return Readable.from(readChunks(store, entry, location, start, end), { objectMode: false });
}

async function* readChunks(
  store: BlobStore,
  entry: TreeEntry,
  location: readonly ChunkLocation[],
  start: number,
  end: number,
): AsyncGenerator<Buffer> {
  let at = 0;
  for (const chunk of location) {
    const [from, to] = [Math.max(start - at, 0), Math.min(end - at + 1, chunk.sizeBytes)];
    at += chunk.sizeBytes;
    if (from < to) yield (await readChunk(store, entry, chunk)).subarray(from, to);
    if (at > end) return;
  }
}

async function readChunk(store: BlobStore, entry: TreeEntry, chunk: ChunkLocation): Promise<Buffer> {
  const { objectKey, offset, storedBytes } = chunk.frame;
  const raw = await decodeFrame(chunk.frame, await readObject(store, objectKey, offset, storedBytes));
  const bytes = raw.subarray(chunk.offset, chunk.offset + chunk.sizeBytes);
  if (bytes.length !== chunk.sizeBytes || hash("sha256", bytes) !== chunk.sha256) {
    throw new SnapshotDamagedError(objectKey, `the content of ${JSON.stringify(entry.path)} is not what was saved`);
  }
  return bytes;
}
