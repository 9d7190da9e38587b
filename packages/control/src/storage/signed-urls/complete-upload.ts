// Makes a file from what a client uploaded to the object store, after checking it against the reservation.

import { randomUUID } from "node:crypto";
import { BlobNotFoundError, BlobTooLargeError, type PutResult } from "@dari/blobs";
import type { FileRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { files } from "@dari/db";
import { AppError, invalidField } from "@dari/domain";
import { renderFile } from "../views/file.ts";
import { stagingKey } from "./staging-key.ts";
import { readTicket, type UploadTicket } from "./upload-ticket.ts";

/**
 * Reads every byte. Safe to repeat: the file stays the same.
 * @throws AppError `not_found`; `conflict` if nothing was uploaded, or the file was deleted since; `invalid` for other
 *   bytes.
 */
export async function completeUpload(control: Control, actor: Actor, uploadId: string): Promise<FileRecord> {
  const ticket = readTicket(control, actor, uploadId);
  const { organizationId, fileId, filename, contentType } = ticket;
  const known = await files.findFile(control.db, organizationId, fileId);
  if (known !== undefined) return renderFile(known);
  // Each call has its own key, so that no call can change the bytes of another.
  const objectKey = `${organizationId}/files/${fileId}-${randomUUID()}`;
  const staged = stagingKey(organizationId, fileId);
  const { sizeBytes, sha256 } = await takeOver(control, ticket, staged, objectKey);
  const described = { id: fileId, organizationId, filename, contentType, sizeBytes, sha256, objectKey };
  const row = await files.insertFileIfNew(control.db, described);
  await control.blobs.delete(row === undefined ? [objectKey] : [staged]);
  const first = row ?? (await files.findFile(control.db, organizationId, fileId));
  if (first === undefined)
    throw new AppError("conflict", "the file of this upload was deleted; reserve another upload");
  return renderFile(first);
}

async function takeOver(control: Control, ticket: UploadTicket, staged: string, objectKey: string): Promise<PutResult> {
  try {
    const body = await control.blobs.get(staged);
    const stored = await control.blobs.put(objectKey, body, { maxBytes: ticket.sizeBytes });
    if (stored.sizeBytes === ticket.sizeBytes && stored.sha256 === ticket.sha256) return stored;
    await control.blobs.delete([objectKey, staged]);
  } catch (error) {
    if (error instanceof BlobNotFoundError) {
      throw new AppError(
        "conflict",
        "no uploaded bytes were found: upload them first, or the upload is already completed",
        { cause: error },
      );
    }
    if (!(error instanceof BlobTooLargeError)) throw error;
    await control.blobs.delete([staged]);
  }
  throw invalidField(
    "upload_id",
    "the uploaded bytes do not match the announced size or checksum; reserve another upload",
  );
}
