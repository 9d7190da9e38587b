// Snapshots of workspaces: immutable rows. A session's head is one of them.

import { sql } from "kysely";
import type { Database } from "../../database.ts";

export interface SnapshotRow {
  readonly id: string;
  readonly objectKey: string | null;
  readonly isFull: boolean;
  readonly deltaDepth: number;
  readonly treeHash: string;
}

/**
 * Lists the snapshots whose objects form this one's tree, oldest first, from the newest full manifest on. By primary
 * key up the parents; bounded, because a full manifest cuts every chain.
 */
export async function listSnapshotChain(
  db: Database,
  organizationId: string,
  snapshotId: string,
): Promise<SnapshotRow[]> {
  const result = await sql<SnapshotRow & { n: number }>`
    with recursive chain as (
      select id, parent_id, object_key, is_full, delta_depth, tree_hash, 0 as n from snapshots
        where id = ${snapshotId} and organization_id = ${organizationId}
      union all
      select p.id, p.parent_id, p.object_key, p.is_full, p.delta_depth, p.tree_hash, c.n + 1
        from chain c join snapshots p on p.id = c.parent_id where not c.is_full)
    select id, object_key as "objectKey", is_full as "isFull", delta_depth as "deltaDepth", tree_hash as "treeHash", n
    from chain order by n desc`.execute(db.kysely);
  return result.rows;
}

/** Lists the snapshots before this one, the nearest first, by primary key up the parents. */
export async function listAncestors(
  db: Database,
  organizationId: string,
  snapshotId: string,
  limit: number,
): Promise<string[]> {
  const result = await sql<{ id: string }>`
    with recursive chain as (
      select parent_id as id, 1 as n from snapshots where id = ${snapshotId} and organization_id = ${organizationId}
      union all
      select p.parent_id, c.n + 1 from chain c join snapshots p on p.id = c.id where c.n < ${limit})
    select id from chain where id is not null order by n`.execute(db.kysely);
  return result.rows.map(({ id }) => id);
}

/** Returns the session's head, or null before its first completed turn. Undefined for an unknown session. */
export async function findHeadSnapshotId(
  db: Database,
  organizationId: string,
  sessionId: string,
): Promise<string | null | undefined> {
  const row = await db.kysely
    .selectFrom("sessions")
    .where("id", "=", sessionId)
    .where("organization_id", "=", organizationId)
    .where("deleted_at", "is", null)
    .select("head_snapshot_id")
    .executeTakeFirst();
  return row === undefined ? undefined : row.head_snapshot_id;
}
