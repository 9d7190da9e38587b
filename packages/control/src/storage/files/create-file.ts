// Makes a stored upload a file that messages can refer to.

import type { FileRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { files } from "@dari/db";
import { invalidField, leafFilename, limits } from "@dari/domain";
import { renderFile } from "../views/file.ts";
import type { StoredUpload } from "./store-upload.ts";

const contentTypePattern = /^[\w.+-]{1,100}\/[\w.+-]{1,100}(; ?charset=[\w-]{1,40})?$/;

/** Keeps only the last segment of `filename`. @throws AppError `invalid` for a name that a workspace cannot contain. */
export async function createFile(
  control: Control,
  actor: Actor,
  upload: StoredUpload,
  described: { filename: string; contentType: string },
): Promise<FileRecord> {
  const { filename, contentType } = normalizeFileDescription(described);
  const row = await files.insertFile(control.db, {
    id: upload.fileId,
    organizationId: actor.organizationId,
    filename,
    contentType,
    sizeBytes: upload.sizeBytes,
    sha256: upload.sha256,
    objectKey: upload.objectKey,
    sessionId: actor.sessionToken?.sessionId,
  });
  return renderFile(row);
}

/** Sanitizes what a client says about a file. @throws AppError `invalid` for a name that a workspace cannot contain. */
export function normalizeFileDescription(given: { filename: string; contentType: string }): {
  filename: string;
  contentType: string;
} {
  const filename = leafFilename(given.filename).toWellFormed();
  if (Buffer.byteLength(filename) > limits.filenameBytes) {
    throw invalidField("file", `expected a file name of at most ${limits.filenameBytes} bytes`);
  }
  // The content type becomes a header when the file is read.
  const contentType = contentTypePattern.test(given.contentType) ? given.contentType : "application/octet-stream";
  return { filename, contentType };
}
