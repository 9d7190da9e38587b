// Signed upload URLs: the holder of one can upload that one bundle until it expires.

import { createHmac, timingSafeEqual } from "node:crypto";
import { fillPath, routes } from "@dari/contract";
import type { Control } from "@dari/control/context";
import { AppError } from "@dari/domain";

/** Returns an absolute URL on the public address. */
export function signUploadUrl(control: Control, sourceSnapshotId: string, expiresAt: Date): string {
  const path = fillPath(routes.uploadBundle.path, { source_snapshot_id: sourceSnapshotId });
  const expires = String(Math.floor(expiresAt.getTime() / 1000));
  const signature = sign(control, sourceSnapshotId, expires).toString("base64url");
  return `${control.publicUrl}${path}?expires=${expires}&signature=${signature}`;
}

/** @throws AppError `forbidden` if the URL was not made here, is for another bundle, or has expired. */
export function checkUploadUrl(
  control: Control,
  upload: { sourceSnapshotId: string; expires: string; signature: string },
): void {
  const given = Buffer.from(upload.signature, "base64url");
  const expected = sign(control, upload.sourceSnapshotId, upload.expires);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new AppError("forbidden", "the upload URL's signature is invalid; use the URL as it was returned");
  }
  if (Number(upload.expires) * 1000 < Date.now()) {
    throw new AppError("forbidden", "the upload URL has expired; create a new source snapshot");
  }
}

function sign(control: Control, sourceSnapshotId: string, expires: string): Buffer {
  return createHmac("sha256", control.urlSigningKey).update(`upload\0${sourceSnapshotId}\0${expires}`).digest();
}
