// Reserves a bundle: a row that waits for its bytes, and the URL to upload them to.

import type { CreateSourceSnapshotRequest, SourceSnapshotCreated } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { stagingKey } from "@dari/control/storage";
import { sourceSnapshots } from "@dari/db";
import { limits, newId, type SourceSnapshotState } from "@dari/domain";
import { bundleKey } from "../bundles/bundle-key.ts";
import { signUploadUrl } from "./sign-upload-url.ts";

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
  const { sha256, size_bytes: sizeBytes } = request;
  return renderReservation(control, actor, {
    id,
    sha256,
    sizeBytes,
    uploadExpiresAt: expiresAt,
    state: "pending_upload",
  });
}

export interface Reservation {
  readonly id: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly uploadExpiresAt: Date;
  readonly state: SourceSnapshotState;
}

/** Bytes go directly to the object store if clients can reach it, otherwise to the API. */
export async function renderReservation(
  control: Control,
  actor: Actor,
  row: Reservation,
): Promise<SourceSnapshotCreated> {
  const direct = await control.blobs.signedUrls?.forUpload(stagingKey(actor.organizationId, row.id), {
    seconds: limits.uploadUrlSeconds,
    expiresAt: row.uploadExpiresAt,
    sizeBytes: row.sizeBytes,
    sha256: row.sha256,
  });
  return {
    source_snapshot_id: row.id,
    upload_url: direct?.url ?? signUploadUrl(control, row.id, row.uploadExpiresAt),
    upload_headers: { "content-type": "application/gzip", ...direct?.headers },
    expires_at: row.uploadExpiresAt.toISOString(),
    status: row.state,
  };
}
