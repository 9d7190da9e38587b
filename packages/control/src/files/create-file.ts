// Makes a stored upload a file that messages can name.

import type { FileRecord } from "@dari/contract";
import { files } from "@dari/db";
import { leafFilename, limits } from "@dari/domain";
import type { Actor, Control } from "../context.ts";
import { invalidField } from "../refusals.ts";
import { renderFile } from "../views/organization.ts";
import type { StoredUpload } from "./store-upload.ts";

const contentTypePattern = /^[\w.+-]{1,100}\/[\w.+-]{1,100}(; ?charset=[\w-]{1,40})?$/;

/** Only the leaf of `filename` is kept. @throws AppError `invalid` for a name that no workspace could hold. */
export async function createFile(
  control: Control,
  actor: Actor,
  upload: StoredUpload,
  described: { filename: string; contentType: string },
): Promise<FileRecord> {
  const filename = leafFilename(described.filename).toWellFormed();
  if (Buffer.byteLength(filename) > limits.filenameBytes) {
    throw invalidField("file", `expected a file name of at most ${limits.filenameBytes} bytes`);
  }
  const row = await files.insertFile(control.db, {
    id: upload.fileId,
    organizationId: actor.organizationId,
    filename,
    // It becomes a header when the file is read again.
    contentType: contentTypePattern.test(described.contentType) ? described.contentType : "application/octet-stream",
    sizeBytes: upload.sizeBytes,
    sha256: upload.sha256,
    objectKey: upload.objectKey,
  });
  return renderFile(row);
}
