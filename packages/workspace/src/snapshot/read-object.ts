// Reads snapshot objects from a store.

import { BlobNotFoundError, type BlobStore } from "@dari/blobs";
import { SnapshotDamagedError } from "../errors.ts";

/** Reads bytes of a snapshot's object. A missing object is damage; a storage error is not. */
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
