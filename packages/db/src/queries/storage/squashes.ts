// Snapshots whose chains should be shortened, and the new place of their data. A snapshot's id and tree never change.

import { sql } from "kysely";
import type { Database } from "../../database.ts";

export interface DeepSnapshot {
  readonly id: string;
  readonly organizationId: string;
  readonly objectKey: string | null;
  readonly treeHash: string;
}

/** Lists every sixteenth snapshot of a chain without a full manifest, newest first (index snapshots_to_squash). */
export async function listDeepSnapshots(db: Database, limit: number): Promise<DeepSnapshot[]> {
  const result = await sql<DeepSnapshot>`
    select id, organization_id as "organizationId", object_key as "objectKey", tree_hash as "treeHash" from snapshots
    where delta_depth > 0 and delta_depth % 16 = 0 and not is_full order by id desc limit ${limit}`.execute(db.kysely);
  return result.rows;
}

/** Moves the snapshot to another object, which contains its whole manifest, if no one else has moved it. */
export async function moveSnapshotIfUnmoved(
  db: Database,
  snapshot: DeepSnapshot,
  to: { objectKey: string; sizeBytes: number },
): Promise<boolean> {
  const result = await sql`
    update snapshots set object_key = ${to.objectKey}, size_bytes = ${to.sizeBytes}, is_full = true, delta_depth = 0
    where id = ${snapshot.id} and object_key is not distinct from ${snapshot.objectKey} and not is_full`.execute(
    db.kysely,
  );
  return Number(result.numAffectedRows) === 1;
}

export interface ObjectUse {
  readonly objectKey: string;
  readonly sizeBytes: number;
  /** Whether a snapshot is stored in it, so that it stays anyway. */
  readonly isOwned: boolean;
}

/** Returns what is known about objects, by their primary key and index snapshots_by_object. */
export async function listObjectUses(db: Database, keys: readonly string[]): Promise<ObjectUse[]> {
  const result = await sql<ObjectUse>`
    select o.object_key as "objectKey", o.size_bytes::float8 as "sizeBytes",
      exists (select 1 from snapshots s where s.object_key = o.object_key) as "isOwned"
    from snapshot_objects o where o.object_key = any(${keys}::text[])`.execute(db.kysely);
  return result.rows;
}
