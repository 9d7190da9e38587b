// Reserves a bundle: a row that waits for its bytes, and the address to send them to.

import type { CreateSourceSnapshotRequest, SourceSnapshotCreated } from "@dari/contract";
import { sourceSnapshots } from "@dari/db";
import { limits, newId, type SourceSnapshotState } from "@dari/domain";
import type { Actor, Control } from "../context.ts";
import { bundleKey } from "./bundle-key.ts";
import { signUploadUrl } from "./upload-url.ts";

export async function createSourceSnapshot(
  control: Control,
  actor: Actor,
  request: CreateSourceSnapshotRequest,
): Promise<SourceSnapshotCreated> {
  const id = newId("sourceSnapshot");
  const expiresAt = new Date(Math.ceil(Date.now() / 1000 + limits.uploadUrlSeconds) * 1000);
  await sourceSnapshots.insertSourceSnapshot(control.db, {
    id,
    organizationId: actor.organizationId,
    sha256: request.sha256,
    sizeBytes: request.size_bytes,
    metadata: request.metadata ?? {},
    objectKey: bundleKey(actor.organizationId, id, "awaited"),
    uploadExpiresAt: expiresAt,
  });
  return renderReservation(control, { id, uploadExpiresAt: expiresAt, state: "pending_upload" });
}

export function renderReservation(
  control: Control,
  row: { readonly id: string; readonly uploadExpiresAt: Date; readonly state: SourceSnapshotState },
): SourceSnapshotCreated {
  return {
    source_snapshot_id: row.id,
    upload_url: signUploadUrl(control, row.id, row.uploadExpiresAt),
    upload_headers: { "content-type": "application/gzip" },
    expires_at: row.uploadExpiresAt.toISOString(),
    status: row.state,
  };
}
