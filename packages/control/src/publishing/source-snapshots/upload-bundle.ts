// Stores a bundle's bytes, sent to a signed URL. Checks only their number; `finalize` checks the rest.

import { randomUUID } from "node:crypto";
import { BlobTooLargeError } from "@dari/blobs";
import type { BundleUploaded } from "@dari/contract";
import type { Control } from "@dari/control/context";
import { sourceSnapshots } from "@dari/db";
import { AppError, requireFound } from "@dari/domain";
import { bundleKey } from "../bundles/bundle-key.ts";
import { checkUploadUrl } from "./sign-upload-url.ts";

export interface BundleUpload {
  readonly sourceSnapshotId: string;
  readonly expires: string;
  readonly signature: string;
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * Streams to storage. Can be repeated until the snapshot is finalized; the last complete upload counts.
 * @throws AppError `forbidden`, `not_found`, `conflict` (already finalized), `too_large` (more than was announced).
 */
export async function uploadBundle(control: Control, upload: BundleUpload): Promise<BundleUploaded> {
  checkUploadUrl(control, upload);
  const row = requireFound(
    await sourceSnapshots.findSourceSnapshotForUpload(control.db, upload.sourceSnapshotId),
    "source snapshot",
  );
  if (row.state !== "pending_upload") throw finalizedAlready(row.state);
  if (!(await storeBundleIfPending(control, row, upload.body))) throw finalizedAlready("finalized");
  return { source_snapshot_id: row.id, status: "pending_upload" };
}

/** Returns false and stores nothing if the snapshot was finalized in the meantime. @throws AppError `too_large` */
export async function storeBundleIfPending(
  control: Control,
  row: { readonly id: string; readonly organizationId: string; readonly sizeBytes: number },
  body: AsyncIterable<Uint8Array>,
): Promise<boolean> {
  const objectKey = bundleKey(row.organizationId, row.id, randomUUID());
  await store(control, objectKey, body, row.sizeBytes);
  const replaced = await sourceSnapshots.replaceUploadIfPending(control.db, row.id, objectKey);
  // Deletes the object that no row refers to. If the process dies here, it stays unreferenced.
  await control.blobs.delete([replaced === undefined ? objectKey : replaced.formerObjectKey]);
  return replaced !== undefined;
}

async function store(
  control: Control,
  objectKey: string,
  body: AsyncIterable<Uint8Array>,
  announcedBytes: number,
): Promise<void> {
  try {
    await control.blobs.put(objectKey, body, { maxBytes: announcedBytes });
  } catch (cause) {
    if (!(cause instanceof BlobTooLargeError)) throw cause;
    const detail = `the upload exceeds the ${announcedBytes} bytes that were announced; create another source snapshot`;
    throw new AppError("too_large", detail, { cause });
  }
}

function finalizedAlready(state: string): AppError {
  return new AppError("conflict", `the source snapshot is ${state} and accepts no upload; create a new one`);
}
