// What a session's export reads: its conversation up to the first open message, and the files that it refers to.

import { limits, repeatedOutcomes } from "@dari/domain";
import { sql } from "kysely";
import type { Database } from "../../database.ts";
import { countRowsWithin } from "../context/page.ts";

/** Messages with a turn of their own in the conversation. */
const isTurn = sql`m.merged_into is null and m.steered_into is null and m.rolled_back_at is null
  and m.rolled_back_by is null`;
/** The messages of the conversation, as a fork copies them: also those that steered a turn of it. */
const isKept = sql`(m.merged_into is null or m.steered_into is not null) and m.rolled_back_at is null
  and m.rolled_back_by is null and not exists (
    select 1 from messages t
    where t.id = m.steered_into and (t.rolled_back_at is not null or t.rolled_back_by is not null))`;

export interface ExportRow {
  readonly id: string;
  readonly name: string | null;
  readonly metadata: unknown;
  readonly onBusy: string;
  readonly internetAccess: boolean | null;
  readonly createdAt: Date;
  readonly versionId: string;
  readonly versionNumber: number;
  readonly bundleKey: string;
  readonly bundleSha256: string;
  readonly bundleSizeBytes: number;
  readonly headSnapshotId: string | null;
  /** The number of the last exported message: those after it are open, or follow an open one. */
  readonly through: number;
  /** The number of the last completed message of the conversation; 0 before the first. */
  readonly lastCompleted: number;
}

/**
 * Reads everything in one statement, so that the head is the one that the message `through` left, or a client's write
 * on it.
 */
export async function findExport(
  db: Database,
  organizationId: string,
  sessionId: string,
): Promise<ExportRow | undefined> {
  const result = await sql<ExportRow>`
    select s.id, s.name, s.metadata, s.on_busy as "onBusy",
      s.internet_access as "internetAccess", s.created_at as "createdAt", v.id as "versionId",
      v.number as "versionNumber", b.object_key as "bundleKey", b.sha256 as "bundleSha256",
      b.size_bytes as "bundleSizeBytes", s.head_snapshot_id as "headSnapshotId",
      coalesce((select min(sequence_number) from messages where session_id = s.id and completed_at is null),
        s.next_sequence_number) - 1 as through,
      coalesce((select sequence_number from messages m where session_id = s.id and state = 'completed' and ${isTurn}
        order by sequence_number desc limit 1), 0) as "lastCompleted"
    from sessions s join versions v on v.id = s.version_id join source_snapshots b on b.id = v.source_snapshot_id
    where s.id = ${sessionId} and s.organization_id = ${organizationId} and s.deleted_at is null`.execute(db.kysely);
  return result.rows[0];
}

export interface ExportedMessage {
  readonly id: string;
  readonly sequenceNumber: number;
  readonly state: string;
  readonly parts: unknown;
  readonly metadata: unknown;
  readonly output: unknown;
  readonly filesChanged: unknown;
  readonly attempts: number;
  readonly maxAttempts: number;
  readonly timings: unknown;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly completedAt: Date;
  readonly retryOf: string | null;
  readonly interruptedBy: string | null;
  /** The message whose turn has taken this one. */
  readonly steeredInto: string | null;
  readonly steeredEvent: number | null;
  /** Whether this message left the export's head: the last completed one, and those after it, which changed nothing. */
  readonly isAtHead: boolean;
}

/**
 * Lists messages after a number in order, as many as fit into `limits.pageBytes` (index messages (session_id, number)).
 */
export async function listMessages(
  db: Database,
  exported: Pick<ExportRow, "id" | "through" | "lastCompleted">,
  after: number,
): Promise<{ rows: ExportedMessage[]; more: boolean }> {
  const found = await sql<{ n: number; bytes: number }>`
    select sequence_number as n, octet_length(parts::text) + octet_length(metadata::text)
      + octet_length(files_changed::text) + coalesce(octet_length(output::text), 0) as bytes
    from messages m where session_id = ${exported.id} and sequence_number > ${after}
      and sequence_number <= ${exported.through} and ${isKept}
    order by sequence_number limit ${limits.listLimitMax}`.execute(db.kysely);
  const last = found.rows[countRowsWithin(found.rows, limits.pageBytes) - 1];
  if (last === undefined) return { rows: [], more: false };
  const page = await sql<ExportedMessage>`
    select m.id, m.sequence_number as "sequenceNumber", m.state, m.parts, m.metadata, m.output,
      m.files_changed as "filesChanged", m.attempts, m.max_attempts as "maxAttempts", m.timings,
      m.created_at as "createdAt", m.started_at as "startedAt", m.completed_at as "completedAt",
      m.retry_of as "retryOf", m.interrupted_by as "interruptedBy", m.steered_into as "steeredInto",
      m.steered_event as "steeredEvent",
      m.sequence_number >= ${exported.lastCompleted} as "isAtHead"
    from messages m where m.session_id = ${exported.id}
       and m.sequence_number > ${after} and m.sequence_number <= ${last.n}
      and ${isKept}
    order by m.sequence_number`.execute(db.kysely);
  return { rows: page.rows, more: last.n < exported.through };
}

export interface ExportedInput {
  readonly messageId: string;
  readonly path: string;
  readonly fileId: string;
  readonly filename: string;
  readonly contentType: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly objectKey: string;
}

/** Lists uploaded files in the workspace that are not deleted (primary key of session_inputs). */
export async function listInputs(
  db: Database,
  exported: Pick<ExportRow, "id" | "through">,
  limit: number,
): Promise<ExportedInput[]> {
  const result = await sql<ExportedInput>`
    select i.message_id as "messageId", i.path, f.id as "fileId", f.filename, f.content_type as "contentType",
      f.size_bytes as "sizeBytes", f.sha256, f.object_key as "objectKey"
    from session_inputs i join messages m on m.id = i.message_id join files f on f.id = i.file_id
    where i.session_id = ${exported.id} and f.deleted_at is null and m.sequence_number <= ${exported.through}
      and ${isKept}
    order by f.id, i.path limit ${limit}`.execute(db.kysely);
  return result.rows;
}

/**
 * Returns the attempts whose turn was run again. A fork leaves out their events too. Reads the session's events once
 * (primary key session_id, sequence_number).
 */
export async function listRepeatedAttempts(
  db: Database,
  organizationId: string,
  sessionId: string,
): Promise<ReadonlySet<string>> {
  const rows = await db.kysely
    .selectFrom("events")
    .where("session_id", "=", sessionId)
    .where("organization_id", "=", organizationId)
    .where("type", "=", "attempt.ended")
    .where(sql`data ->> 'outcome'`, "in", repeatedOutcomes)
    .select("attempt_id as attemptId")
    .execute();
  return new Set(rows.flatMap(({ attemptId }) => attemptId ?? []));
}
