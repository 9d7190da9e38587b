// Reads objects of snapshots from a store.

import { BlobNotFoundError, type BlobStore } from "@dari/blobs";
import { SnapshotDamagedError } from "./errors.ts";

/** Reads bytes of an object of a snapshot. A missing object is damage; storage that does not answer is not. */
export async function readObject(
  store: BlobStore,
  objectKey: string,
  offset: number,
  sizeBytes: number,
): Promise<Buffer> {
  try {
    return await store.read(objectKey, { start: offset, end: offset + sizeBytes - 1 });
  } catch (cause) {
    if (cause instanceof BlobNotFoundError) throw new SnapshotDamagedError(objectKey, "it is missing", { cause });
    throw cause;
  }
}
