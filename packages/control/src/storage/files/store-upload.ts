// Streams an upload to storage before it becomes a file. Writes no row.

import { BlobTooLargeError } from "@dari/blobs";
import type { Actor, Control } from "@dari/control/context";
import { AppError, limits, newId } from "@dari/domain";

/** Bytes that are stored, but not yet a file. */
export interface StoredUpload {
  readonly fileId: string;
  readonly objectKey: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/**
 * Holds only one piece in memory. Leaves nothing behind if the body throws. `maxBytes`: default is the platform's
 * limit.
 * @throws AppError `too_large`
 */
export async function storeUpload(
  control: Control,
  actor: Actor,
  body: AsyncIterable<Uint8Array>,
  maxBytes: number = limits.fileBytes,
): Promise<StoredUpload> {
  const fileId = newId("file");
  const objectKey = `${actor.organizationId}/files/${fileId}`;
  try {
    return { fileId, objectKey, ...(await control.blobs.put(objectKey, body, { maxBytes })) };
  } catch (cause) {
    if (!(cause instanceof BlobTooLargeError)) throw cause;
    throw new AppError("too_large", `the file exceeds the limit of ${maxBytes} bytes`, { cause });
  }
}

/** Deletes an upload that did not become a file. */
export async function discardUpload(control: Control, upload: StoredUpload): Promise<void> {
  await control.blobs.delete([upload.objectKey]);
}
