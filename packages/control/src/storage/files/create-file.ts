// Makes a stored upload a file that messages can name.

import type { FileRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { files } from "@dari/db";
import { invalidField, leafFilename, limits } from "@dari/domain";
import { renderFile } from "../views/file.ts";
import type { StoredUpload } from "./store-upload.ts";

const contentTypePattern = /^[\w.+-]{1,100}\/[\w.+-]{1,100}(; ?charset=[\w-]{1,40})?$/;

/** Only the leaf of `filename` is kept. @throws AppError `invalid` for a name that no workspace could hold. */
export async function createFile(
  control: Control,
  actor: Actor,
  upload: StoredUpload,
  described: { filename: string; contentType: string },
): Promise<FileRecord> {
  const { filename, contentType } = describeFile(described);
  const row = await files.insertFile(control.db, {
    id: upload.fileId,
    organizationId: actor.organizationId,
    filename,
    contentType,
    sizeBytes: upload.sizeBytes,
    sha256: upload.sha256,
    objectKey: upload.objectKey,
  });
  return renderFile(row);
}

/** What is kept of a client's words on a file. @throws AppError `invalid` for a name that no workspace could hold. */
export function describeFile(given: { filename: string; contentType: string }): {
  filename: string;
  contentType: string;
} {
  const filename = leafFilename(given.filename).toWellFormed();
  if (Buffer.byteLength(filename) > limits.filenameBytes) {
    throw invalidField("file", `expected a file name of at most ${limits.filenameBytes} bytes`);
  }
  // It becomes a header when the file is read again.
  const contentType = contentTypePattern.test(given.contentType) ? given.contentType : "application/octet-stream";
  return { filename, contentType };
}
