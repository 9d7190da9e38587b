// What a worker reads to run a claimed turn. Reads only; every statement starts from a primary key or session index.

import { sql } from "kysely";
import type { Database } from "../database.ts";

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
}

/** The message, its version and the head of its session, by the message's primary key. */
export async function getTurnDetails(db: Database, messageId: string): Promise<TurnDetails> {
  const row = await db.kysely
    .selectFrom("messages as m")
    .innerJoin("sessions as s", "s.id", "m.session_id")
    .innerJoin("versions as v", "v.id", "s.version_id")
    .where("m.id", "=", messageId)
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
    ])
    .select(sql<boolean>`m.cancel_requested_at is not null`.as("cancelRequested"))
    .executeTakeFirstOrThrow();
  return { ...row, startedAt: row.startedAt ?? row.createdAt };
}

export interface HistoryRow {
  readonly parts: unknown;
  /** Null: the turn was interrupted before it had one. */
  readonly output: unknown;
}

/**
 * Messages before this one that are part of the conversation, oldest first: completed ones (merged ones are part of
 * another) and interrupted ones. The newest `limit`, and of these the newest that have at most `maxBytes` together
 * (index messages (session_id, sequence_number)).
 */
export async function listHistoryBefore(
  db: Database,
  sessionId: string,
  sequenceNumber: number,
  limit: number,
  maxBytes: number,
): Promise<HistoryRow[]> {
  const result = await sql<HistoryRow>`
    select parts, output from (
      select *, sum(octet_length(parts::text) + coalesce(octet_length(output::text), 0))
        over (order by sequence_number desc) as bytes
      from (
        select sequence_number, parts, case state when 'completed' then output end as output from messages
        where session_id = ${sessionId} and sequence_number < ${sequenceNumber} and rolled_back_by is null
          and (state = 'completed' and merged_into is null or state = 'cancelled' and interrupted_by is not null)
        order by sequence_number desc limit ${limit}) newest) measured
    where bytes <= ${maxBytes} order by sequence_number`.execute(db.kysely);
  return result.rows;
}

export interface InputFile {
  readonly path: string;
  readonly messageId: string;
  readonly objectKey: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/**
 * Files to place before a turn: those of its message, and those of messages since the last committed turn, whose
 * placing was lost with their failed turns (index session_inputs (session_id, path)).
 */
export async function listInputsToPlace(db: Database, sessionId: string, sequenceNumber: number): Promise<InputFile[]> {
  return (
    db.kysely
      .selectFrom("session_inputs as i")
      .innerJoin("messages as m", "m.id", "i.message_id")
      .innerJoin("files as f", "f.id", "i.file_id")
      .where("i.session_id", "=", sessionId)
      .where("m.sequence_number", "<=", sequenceNumber)
      .where("m.rolled_back_by", "is", null)
      // A message that was cancelled before it began has put nothing into the session.
      .where((eb) => eb.or([eb("m.state", "<>", "cancelled"), eb("m.started_at", "is not", null)]))
      .where("m.sequence_number", ">", (eb) =>
        eb
          .selectFrom("messages as done")
          .where("done.session_id", "=", sessionId)
          .where("done.state", "=", "completed")
          .where("done.merged_into", "is", null)
          .where("done.sequence_number", "<", sequenceNumber)
          .select((one) => one.fn.coalesce(one.fn.max("done.sequence_number"), sql<number>`0`).as("n")),
      )
      .select([
        "i.path",
        "i.message_id as messageId",
        "f.object_key as objectKey",
        "f.size_bytes as sizeBytes",
        "f.sha256",
      ])
      .orderBy("m.sequence_number")
      .orderBy("i.path")
      .execute()
  );
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
  const ofOrganization = await db.kysely
    .selectFrom("credentials")
    .where("organization_id", "=", organizationId)
    .where("name", "in", names)
    .select(["name", "sealed"])
    .execute();
  const ofSession = await db.kysely
    .selectFrom("session_secrets")
    .where("organization_id", "=", organizationId)
    .where("session_id", "=", sessionId)
    .where("name", "in", names)
    .select(["name", "sealed"])
    .execute();
  return [...new Map([...ofOrganization, ...ofSession].map((secret) => [secret.name, secret])).values()];
}
