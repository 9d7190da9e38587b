// Reserves a file that a client will upload to the object store.

import type { FileUploadReserved, ReserveFileUploadRequest } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { AppError, limits, newId } from "@dari/domain";
import { normalizeFileDescription } from "../files/create-file.ts";
import { requireSignedUrls, stagingKey } from "./staging-key.ts";
import { writeTicket } from "./upload-ticket.ts";

/** @throws AppError `conflict` if clients cannot reach the object store, `too_large`, `invalid`. */
export async function reserveUpload(
  control: Control,
  actor: Actor,
  request: ReserveFileUploadRequest,
  maxBytes: number = limits.fileBytes,
): Promise<FileUploadReserved> {
  const signedUrls = requireSignedUrls(control);
  const { size_bytes: sizeBytes, sha256, content_type: contentType = "" } = request;
  if (sizeBytes > maxBytes) throw new AppError("too_large", `the file exceeds the limit of ${maxBytes} bytes`);
  const described = normalizeFileDescription({ filename: request.filename, contentType });
  const { organizationId } = actor;
  const fileId = newId("file");
  const seconds = limits.uploadUrlSeconds;
  const expiresAt = new Date(Math.ceil(Date.now() / 1000 + seconds) * 1000);
  const { url, headers } = await signedUrls.forUpload(stagingKey(organizationId, fileId), {
    seconds,
    expiresAt,
    sizeBytes,
    sha256,
  });
  return {
    upload_id: writeTicket(control, { organizationId, fileId, ...described, sizeBytes, sha256 }),
    upload_url: url,
    upload_headers: { ...headers },
    expires_at: expiresAt.toISOString(),
  };
}
