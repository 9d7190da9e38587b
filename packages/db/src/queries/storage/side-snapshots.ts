// What turns and attempts changed in the workspace, by message.

import { sql } from "kysely";
import type { Database } from "../../database.ts";
import type { TurnSnapshot } from "../turns/finish-turn.ts";

export interface AttemptSnapshot {
  readonly sessionId: string;
  /** Null if the attempt left nothing, or completed. */
  readonly sideSnapshotId: string | null;
}

/**
 * Finds the attempt with this number, by index attempts_by_message. Attempts that did not count share the number of the
 * next one: returns the newest with a side snapshot, otherwise the newest. Returns undefined if there is none.
 */
export async function findAttemptSnapshot(
  db: Database,
  organizationId: string,
  messageId: string,
  number: number,
): Promise<AttemptSnapshot | undefined> {
  return db.kysely
    .selectFrom("attempts as a")
    .innerJoin("sessions as s", "s.id", "a.session_id")
    .where("a.message_id", "=", messageId)
    .where("a.organization_id", "=", organizationId)
    .where("a.number", "=", number)
    .where("s.deleted_at", "is", null)
    .select(["a.session_id as sessionId", "a.side_snapshot_id as sideSnapshotId"])
    .orderBy(sql`a.side_snapshot_id is null`)
    .orderBy("a.fence", "desc")
    .executeTakeFirst();
}

/** Finds a snapshot by primary key. */
export async function findSnapshot(
  db: Database,
  organizationId: string,
  snapshotId: string,
): Promise<TurnSnapshot | undefined> {
  return db.kysely
    .selectFrom("snapshots")
    .where("id", "=", snapshotId)
    .where("organization_id", "=", organizationId)
    .select([
      "id",
      "parent_id as parentId",
      "object_key as objectKey",
      "is_full as isFull",
      "delta_depth as deltaDepth",
      "tree_hash as treeHash",
      "size_bytes as sizeBytes",
      "files",
      "total_bytes as totalBytes",
    ])
    .executeTakeFirst();
}

export interface MessageSnapshot {
  readonly sessionId: string;
  /** The turn's snapshot, or that of its last unsuccessful attempt; null if there is neither. */
  readonly snapshotId: string | null;
  readonly filesChanged: unknown;
  /** Whether its turn ran in another installation. The snapshot is then not the turn's. */
  readonly isImported: boolean;
}

/** Finds the message by primary key, and its attempts by the index attempts_by_message. */
export async function findMessageSnapshot(
  db: Database,
  organizationId: string,
  messageId: string,
): Promise<MessageSnapshot | undefined> {
  return db.kysely
    .selectFrom("messages as m")
    .innerJoin("sessions as s", "s.id", "m.session_id")
    .where("m.id", "=", messageId)
    .where("m.organization_id", "=", organizationId)
    .where("s.deleted_at", "is", null)
    .select(["m.session_id as sessionId", "m.files_changed as filesChanged"])
    .select(
      sql<boolean>`m.copied_from is not null and (m.lacks_workspace or exists (
        select 1 from snapshots x where x.id = m.snapshot_id and x.kind <> 'turn'))`.as("isImported"),
    )
    .select(
      sql<string | null>`coalesce(m.snapshot_id, case when m.completed_at is not null then (
        select a.side_snapshot_id from attempts a where a.message_id = m.id order by a.fence desc limit 1) end)`.as(
        "snapshotId",
      ),
    )
    .executeTakeFirst();
}

export interface SentAttachment {
  readonly path: string;
  readonly objectKey: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** Lists the uploads at these paths of a session (primary key of session_inputs). */
export async function listSentAttachments(
  db: Database,
  organizationId: string,
  sessionId: string,
  paths: readonly string[],
): Promise<SentAttachment[]> {
  if (paths.length === 0) return [];
  return db.kysely
    .selectFrom("session_inputs as i")
    .innerJoin("files as f", "f.id", "i.file_id")
    .where("i.session_id", "=", sessionId)
    .where("f.organization_id", "=", organizationId)
    .where(sql<boolean>`i.path = any(${paths}::text[])`)
    .select(["i.path", "f.object_key as objectKey", "f.size_bytes as sizeBytes", "f.sha256"])
    .execute();
}
