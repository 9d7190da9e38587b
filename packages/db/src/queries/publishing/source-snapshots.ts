// Source snapshots: uploaded bundles, from pending to ready or failed.

import { sourceSnapshotMachine } from "@dari/domain";
import type { Selection } from "kysely";
import type { Database } from "../../database.ts";
import type { DB } from "../../generated/schema.ts";
import { organizationWithinQuota } from "../tenants/quotas.ts";
import { isForeignKeyViolation } from "../context/violations.ts";

const columns = [
  "id",
  "sha256",
  "size_bytes as sizeBytes",
  "state",
  "failure_reason as failureReason",
  "manifest_text as manifestText",
  "object_key as objectKey",
  "upload_expires_at as uploadExpiresAt",
] as const;

export type SourceSnapshotRow = Readonly<Selection<DB, "source_snapshots", (typeof columns)[number]>>;

export async function insertSourceSnapshot(
  db: Database,
  snapshot: {
    id: string;
    organizationId: string;
    sha256: string;
    sizeBytes: number;
    metadata: Readonly<Record<string, string | boolean>>;
    objectKey: string;
    uploadExpiresAt: Date;
  },
): Promise<void> {
  await db.kysely
    .insertInto("source_snapshots")
    .values({
      id: snapshot.id,
      organization_id: organizationWithinQuota(snapshot.organizationId, "storage_bytes", snapshot.sizeBytes),
      sha256: snapshot.sha256,
      size_bytes: snapshot.sizeBytes,
      metadata: JSON.stringify(snapshot.metadata),
      object_key: snapshot.objectKey,
      upload_expires_at: snapshot.uploadExpiresAt,
    })
    .execute();
}

/** Finds a source snapshot by primary key. */
export async function findSourceSnapshot(
  db: Database,
  organizationId: string,
  snapshotId: string,
): Promise<SourceSnapshotRow | undefined> {
  return db.kysely
    .selectFrom("source_snapshots")
    .where("id", "=", snapshotId)
    .where("organization_id", "=", organizationId)
    .select(columns)
    .executeTakeFirst();
}

/** Like `findSourceSnapshot`, for a signed upload URL, which proves the id and names no organization. */
export async function findSourceSnapshotForUpload(
  db: Database,
  snapshotId: string,
): Promise<(SourceSnapshotRow & { readonly organizationId: string }) | undefined> {
  return db.kysely
    .selectFrom("source_snapshots")
    .where("id", "=", snapshotId)
    .select(columns)
    .select("organization_id as organizationId")
    .executeTakeFirst();
}

/**
 * Points a pending snapshot at a new upload and returns the former object; undefined if it is no longer pending. Every
 * upload has its own object, so that checked bytes are never replaced.
 */
export async function replaceUploadIfPending(
  db: Database,
  snapshotId: string,
  objectKey: string,
): Promise<{ formerObjectKey: string } | undefined> {
  return db.kysely
    .updateTable("source_snapshots as s")
    .from((eb) =>
      eb
        .selectFrom("source_snapshots")
        .where("id", "=", snapshotId)
        .select(["id", "object_key"])
        .forUpdate()
        .as("former"),
    )
    .set({ object_key: objectKey })
    .whereRef("s.id", "=", "former.id")
    .where("s.state", "=", sourceSnapshotMachine.initial)
    .returning("former.object_key as formerObjectKey")
    .executeTakeFirst();
}

export type SourceSnapshotVerdict =
  | { readonly edge: "verify"; readonly manifestText: string }
  | { readonly edge: "reject"; readonly failureReason: string };

/** Records the verdict on the object `objectKey`; undefined if another verdict or upload came first. */
export async function settleSourceSnapshotIfPending(
  db: Database,
  organizationId: string,
  snapshotId: string,
  objectKey: string,
  verdict: SourceSnapshotVerdict,
): Promise<SourceSnapshotRow | undefined> {
  const { from, to } = sourceSnapshotMachine.edges[verdict.edge];
  return db.kysely
    .updateTable("source_snapshots")
    .set({
      state: to,
      failure_reason: verdict.edge === "reject" ? verdict.failureReason : null,
      manifest_text: verdict.edge === "verify" ? verdict.manifestText : null,
    })
    .where("id", "=", snapshotId)
    .where("organization_id", "=", organizationId)
    .where("object_key", "=", objectKey)
    .where("state", "in", from)
    .returning(columns)
    .executeTakeFirst();
}

export type SourceSnapshotDeletion =
  | { readonly outcome: "deleted"; readonly objectKey: string }
  | { readonly outcome: "used" }
  | { readonly outcome: "missing" };

/** Deletes a snapshot that no version uses. The foreign key of versions decides races. */
export async function deleteSourceSnapshotIfUnused(
  db: Database,
  organizationId: string,
  snapshotId: string,
): Promise<SourceSnapshotDeletion> {
  try {
    const row = await db.kysely
      .deleteFrom("source_snapshots")
      .where("id", "=", snapshotId)
      .where("organization_id", "=", organizationId)
      .returning("object_key as objectKey")
      .executeTakeFirst();
    return row === undefined ? { outcome: "missing" } : { outcome: "deleted", objectKey: row.objectKey };
  } catch (error) {
    if (isForeignKeyViolation(error)) return { outcome: "used" };
    throw error;
  }
}
