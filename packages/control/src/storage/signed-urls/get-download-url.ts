// Creates a temporary URL from which a client downloads an uploaded file from the object store.

import type { FileDownloadUrl } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { files } from "@dari/db";
import { requireFound, limits } from "@dari/domain";
import { requireSignedUrls } from "./staging-key.ts";

/**
 * The URL works until it expires, even if the file is deleted earlier.
 * @throws AppError `not_found`; `conflict` if clients cannot reach the object store.
 */
export async function getDownloadUrl(
  control: Control,
  actor: Actor,
  input: { readonly fileId: string; readonly seconds: number | undefined; disposition(filename: string): string },
): Promise<FileDownloadUrl> {
  const row = requireFound(await files.findFile(control.db, actor.organizationId, input.fileId), "file");
  const seconds = input.seconds ?? limits.downloadUrlSecondsDefault;
  const expiresAt = new Date(Math.floor(Date.now() / 1000 + seconds) * 1000);
  const url = await requireSignedUrls(control).forDownload(row.objectKey, {
    seconds,
    expiresAt,
    contentType: row.contentType,
    contentDisposition: input.disposition(row.filename),
  });
  return { url, expires_at: expiresAt.toISOString() };
}
