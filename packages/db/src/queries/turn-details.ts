// What a worker reads to run a claimed turn. Reads only; every statement starts from a primary key or session index.

import { sql, type RawBuilder } from "kysely";
import type { Database } from "../database.ts";
import { statement } from "../statement.ts";
import type { WorkspaceBounds } from "./organizations.ts";

export interface TurnDetails {
  readonly organizationId: string;
  readonly agentId: string;
  readonly versionId: string;
  readonly manifest: unknown;
  readonly image: unknown;
  readonly parts: unknown;
  readonly metadata: unknown;
  readonly sequenceNumber: number;
  readonly maxAttempts: number;
  readonly headSnapshotId: string | null;
  readonly cancelRequested: boolean;
  readonly createdAt: Date;
  readonly startedAt: Date;
  readonly history: readonly HistoryRow[];
  readonly inputs: readonly InputFile[];
  /** The organization's own; null: the platform's. */
  readonly workspaceBounds: WorkspaceBounds;
}

export interface HistoryRow {
  readonly parts: unknown;
  /** Of an interrupted turn, what it had said so far; null: nothing. */
  readonly output: unknown;
}

export interface HistoryBounds {
  readonly messages: number;
  readonly bytes: number;
}

export interface InputFile {
  readonly path: string;
  readonly messageId: string;
  readonly objectKey: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/**
 * All that a turn starts from, in one statement: the message, its version and the head of its session by the message's
 * primary key, with `listHistoryBefore` and `listInputsToPlace`.
 */
export async function getTurnDetails(db: Database, messageId: string, bounds: HistoryBounds): Promise<TurnDetails> {
  const [row] = await selectTurnDetails(db, { messageId, ...bounds });
  if (row === undefined) throw new Error(`there is no message ${messageId}`);
  const { maxBytes, maxFiles, maxFileBytes, ...details } = row;
  const workspaceBounds = { bytes: maxBytes, files: maxFiles, fileBytes: maxFileBytes };
  return { ...details, workspaceBounds, startedAt: row.startedAt ?? row.createdAt };
}

const selectTurnDetails = statement((kysely, of: { messageId: string } & HistoryBounds) => {
  const session = sql<string>`m.session_id`;
  const number = sql<number>`m.sequence_number`;
  return kysely
    .selectFrom("messages as m")
    .innerJoin("sessions as s", "s.id", "m.session_id")
    .innerJoin("versions as v", "v.id", "s.version_id")
    .innerJoin("organizations as o", "o.id", "m.organization_id")
    .where("m.id", "=", of.messageId)
    .select([
      "m.organization_id as organizationId",
      "s.agent_id as agentId",
      "s.version_id as versionId",
      "v.manifest",
      "v.image",
      "m.parts",
      "m.metadata",
      "m.sequence_number as sequenceNumber",
      "m.max_attempts as maxAttempts",
      "s.head_snapshot_id as headSnapshotId",
      "m.created_at as createdAt",
      "m.started_at as startedAt",
      "o.max_workspace_bytes as maxBytes",
      "o.max_workspace_files as maxFiles",
      "o.max_workspace_file_bytes as maxFileBytes",
    ])
    .select(sql<boolean>`m.cancel_requested_at is not null`.as("cancelRequested"))
    .select(sql<HistoryRow[]>`array(select to_json(h) from (${historyBefore(session, number, of)}) h)`.as("history"))
    .select(sql<InputFile[]>`array(select to_json(f) from (${inputsToPlace(session, number)}) f)`.as("inputs"));
});

/**
 * Messages before this one that are part of the conversation, oldest first: completed ones (merged ones are part of
 * another) and interrupted ones. The newest ones within both bounds (index messages (session_id, sequence_number)).
 */
export async function listHistoryBefore(
  db: Database,
  sessionId: string,
  sequenceNumber: number,
  messages: number,
  bytes: number,
): Promise<HistoryRow[]> {
  const query = historyBefore(sql`${sessionId}`, sql`${sequenceNumber}`, { messages, bytes });
  return (await query.execute(db.kysely)).rows;
}

function historyBefore(session: RawBuilder<string>, number: RawBuilder<number>, bounds: HistoryBounds) {
  return sql<HistoryRow>`
    select parts, output from (
      select *, sum(octet_length(parts::text) + coalesce(octet_length(output::text), 0))
        over (order by sequence_number desc) as bytes
      from (
        select sequence_number, parts,
          case when state = 'completed' or output #> '{parts,0}' is not null then output end as output
        from messages x
        where x.session_id = ${session} and x.sequence_number < ${number}
          and rolled_back_by is null and rolled_back_at is null
          and (state = 'completed' and merged_into is null or state = 'cancelled' and interrupted_by is not null)
        order by sequence_number desc limit ${bounds.messages}) newest) measured
    where bytes <= ${bounds.bytes} order by sequence_number`;
}

/**
 * Files to place before a turn: those of its message, and those of messages since the last committed turn, whose
 * placing was lost with their failed turns (index session_inputs (session_id, path)).
 */
export async function listInputsToPlace(db: Database, sessionId: string, sequenceNumber: number): Promise<InputFile[]> {
  return (await inputsToPlace(sql`${sessionId}`, sql`${sequenceNumber}`).execute(db.kysely)).rows;
}

function inputsToPlace(session: RawBuilder<string>, number: RawBuilder<number>) {
  // The session's inputs first, of which there are few or none: without statistics its messages may look fewer. A
  // message that was cancelled before it began has put nothing into the session.
  return sql<InputFile>`
    select i.path, i.message_id as "messageId", f.object_key as "objectKey", f.size_bytes as "sizeBytes", f.sha256
    from (select * from session_inputs where session_id = ${session} offset 0) i
      join messages x on x.id = i.message_id join files f on f.id = i.file_id
    where x.sequence_number <= ${number}
      and x.rolled_back_by is null and x.rolled_back_at is null
      and (x.state <> 'cancelled' or x.started_at is not null)
      and x.sequence_number > coalesce((
        select max(done.sequence_number) from messages done
        where done.session_id = ${session} and done.state = 'completed' and done.merged_into is null
          and done.rolled_back_at is null and done.sequence_number < ${number}), 0)
    order by x.sequence_number, i.path`;
}

/** Paths of the session that start with one of these prefixes (primary key of session_inputs). */
export async function listTakenInputPaths(
  db: Database,
  sessionId: string,
  prefixes: readonly string[],
): Promise<Set<string>> {
  if (prefixes.length === 0) return new Set();
  const rows = await db.kysely
    .selectFrom("session_inputs")
    .where("session_id", "=", sessionId)
    .where(sql<boolean>`exists (select 1 from unnest(${prefixes}::text[]) p where starts_with(path, p))`)
    .select("path")
    .execute();
  return new Set(rows.map((row) => row.path));
}

/** Paths that one message holds (index session_inputs_by_message), by the id of the file that is to stand there. */
export async function listInputPathsOf(db: Database, messageId: string): Promise<Map<string, string>> {
  const rows = await db.kysely
    .selectFrom("session_inputs")
    .where("message_id", "=", messageId)
    .select(["path", "file_id"])
    .execute();
  return new Map(rows.map((row) => [row.path, row.file_id]));
}

/** File id to file name, for those that the organization has (primary key of files). */
export async function listFilenames(
  db: Database,
  organizationId: string,
  fileIds: readonly string[],
): Promise<Map<string, string>> {
  if (fileIds.length === 0) return new Map();
  const rows = await db.kysely
    .selectFrom("files")
    .where("id", "in", fileIds)
    .where("organization_id", "=", organizationId)
    .select(["id", "filename"])
    .execute();
  return new Map(rows.map((row) => [row.id, row.filename]));
}

export interface SealedSecret {
  readonly name: string;
  readonly sealed: Buffer;
}

/** The organization's credentials and the session's own secrets of these names; the session's win. */
export async function listSealedSecrets(
  db: Database,
  organizationId: string,
  sessionId: string,
  names: readonly string[],
): Promise<SealedSecret[]> {
  if (names.length === 0) return [];
  const result = await sql<SealedSecret>`
    select name, sealed from (
      select name, sealed, 1 as rank from credentials
        where organization_id = ${organizationId} and name = any (${names}::text[])
      union all select name, sealed, 2 from session_secrets
        where organization_id = ${organizationId} and session_id = ${sessionId} and name = any (${names}::text[])) found
    order by rank`.execute(db.kysely);
  return [...new Map(result.rows.map((secret) => [secret.name, secret])).values()];
}
