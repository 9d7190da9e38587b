// What a worker reads to run a claimed turn. Every statement starts from a primary key or a session's index.

import type { AnswerRecording, EgressSetting, MessageLimits } from "@dari/domain";
import { sql } from "kysely";
import type { Database } from "../../database.ts";
import type { TurnBounds, WorkspaceBounds } from "../tenants/organizations.ts";

export interface TurnDetails {
  readonly organizationId: string;
  readonly agentId: string;
  readonly versionId: string;
  readonly manifest: unknown;
  readonly image: unknown;
  readonly parts: unknown;
  readonly metadata: unknown;
  readonly maxAttempts: number;
  readonly headSnapshotId: string | null;
  readonly cancelRequested: boolean;
  readonly createdAt: Date;
  readonly startedAt: Date;
  readonly history: readonly HistoryRow[];
  readonly attachments: readonly AttachmentToPlace[];
  /** The organization's own limits; null: the platform's. */
  readonly workspaceBounds: WorkspaceBounds;
  readonly turnBounds: TurnBounds;
  /** The network rules of the turn's agent, by who set them. */
  readonly egress: TurnEgress;
  /** Set if an attempt of the message was suspended: where the next ones begin, and the answers by key. */
  readonly resume: TurnResume | undefined;
  /** Whether the attempt can take a message that steers its turn. */
  readonly steeringWaits: boolean;
  /** The messages that suspended attempts of the turn have taken, in order. */
  readonly takenBefore: readonly TakenMessage[];
  /** What earlier attempts of the message have recorded. */
  readonly steps: readonly RecordedStep[];
  /** Limits of the message's requests to models. Undefined: none. */
  readonly limits: MessageLimits | undefined;
  /** The answers of models that the attempt can use again. */
  readonly recordedAnswers: readonly RecordedAnswerRow[];
  /** Whether the organization allows that answers of models are recorded. */
  readonly answerRecording: AnswerRecording;
  /** Undefined: the message is no replay. */
  readonly replay: TurnReplay | undefined;
}

/** What a replay answers requests to models with. */
export interface TurnReplay {
  /** The message that is replayed. */
  readonly of: string;
  /** Whether a request without a recorded answer goes to the model. */
  readonly asksModels: boolean;
  readonly answers: readonly RecordedAnswerRow[];
}

export type TurnEgress = Readonly<Partial<Record<"organization" | "operator" | "session", EgressSetting>>>;

export interface TurnResume {
  readonly snapshotId: string;
  readonly placed: readonly PlacedAttachment[];
  readonly answers: Readonly<Record<string, unknown>>;
}

/** An upload, as placed for the attempts of its message. */
export interface PlacedAttachment {
  /** The path of its tree entry. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** The path in the message's part, if the agent had a file of that name. */
  readonly sentAs?: string;
}

/** A message that steers a turn, and that an attempt of the turn has taken. */
export interface TakenMessage {
  readonly id: string;
  readonly parts: readonly Readonly<Record<string, unknown>>[];
}

/** The result of a step that an attempt has completed. */
export interface RecordedStep {
  readonly name: string;
  /** Counts the calls with this name in an attempt, from 1. */
  readonly ordinal: number;
  /** The guest's text, which the platform stores unchanged. */
  readonly json: string;
}

/** An answer that an attempt got from a model. */
export interface RecordedAnswerRow {
  /** SHA-256 of the request, in lower-case hex. */
  readonly digest: string;
  /** Counts the answers to this request in an attempt, from 1. */
  readonly ordinal: number;
  readonly objectKey: string;
  readonly sizeBytes: number;
}

export interface HistoryRow {
  readonly parts: unknown;
  /** The text of an interrupted turn; null: none. */
  readonly output: unknown;
  /** The parts of each message that steered the turn. Null: none. */
  readonly steered: readonly unknown[] | null;
}

export interface HistoryBounds {
  readonly messages: number;
  readonly bytes: number;
}

export interface AttachmentToPlace {
  readonly path: string;
  readonly messageId: string;
  readonly objectKey: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** The result of `turn_details` for the claimed message. */
export interface TurnDetailsRow {
  readonly organization_id: string;
  readonly agent_id: string;
  readonly version_id: string;
  readonly manifest: unknown;
  readonly image: unknown;
  readonly parts: unknown;
  readonly metadata: unknown;
  readonly max_attempts: number;
  readonly head_snapshot_id: string | null;
  readonly cancel_requested: boolean;
  readonly created_at: Date;
  readonly started_at: Date | null;
  readonly max_bytes: number | null;
  readonly max_files: number | null;
  readonly max_file_bytes: number | null;
  readonly history: HistoryRow[] | null;
  readonly inputs: AttachmentToPlace[] | null;
  readonly resume_snapshot_id: string | null;
  readonly resume_inputs: PlacedAttachment[] | null;
  readonly answers: Record<string, unknown> | null;
  readonly egress: TurnEgress | null;
  readonly max_turn_memory_bytes: number | null;
  readonly max_turn_cpus: number | null;
  readonly steering_waits: boolean;
  readonly taken_before: TakenMessage[] | null;
  readonly steps: RecordedStep[] | null;
  readonly limits: MessageLimits | null;
  readonly recorded_answers: RecordedAnswerRow[] | null;
  readonly answer_recording: AnswerRecording;
  readonly replay: TurnReplay | null;
}

export function toTurnDetails(row: TurnDetailsRow): TurnDetails {
  return {
    organizationId: row.organization_id,
    agentId: row.agent_id,
    versionId: row.version_id,
    manifest: row.manifest,
    image: row.image,
    parts: row.parts,
    metadata: row.metadata,
    maxAttempts: row.max_attempts,
    headSnapshotId: row.head_snapshot_id,
    cancelRequested: row.cancel_requested,
    createdAt: row.created_at,
    startedAt: row.started_at ?? row.created_at,
    history: row.history ?? [],
    attachments: row.inputs ?? [],
    workspaceBounds: { bytes: row.max_bytes, files: row.max_files, fileBytes: row.max_file_bytes },
    turnBounds: { memoryBytes: row.max_turn_memory_bytes, cpus: row.max_turn_cpus },
    egress: row.egress ?? {},
    steeringWaits: row.steering_waits,
    takenBefore: row.taken_before ?? [],
    steps: row.steps ?? [],
    limits: row.limits ?? undefined,
    recordedAnswers: row.recorded_answers ?? [],
    answerRecording: row.answer_recording,
    replay: row.replay ?? undefined,
    resume:
      row.resume_snapshot_id === null
        ? undefined
        : { snapshotId: row.resume_snapshot_id, placed: row.resume_inputs ?? [], answers: row.answers ?? {} },
  };
}

/** Returns all that the message's turn starts from, as a claim does. */
export async function getTurnDetails(db: Database, messageId: string, bounds: HistoryBounds): Promise<TurnDetails> {
  const result = await sql<TurnDetailsRow>`
    select * from turn_details(p_message => ${messageId}, p_history_messages => ${bounds.messages},
      p_history_bytes => ${bounds.bytes})`.execute(db.kysely);
  const row = result.rows[0];
  if (row === undefined) throw new Error(`there is no message ${messageId}`);
  return toTurnDetails(row);
}

/** Lists earlier messages of the conversation, oldest first: the newest ones within both limits. */
export async function listHistoryBefore(
  db: Database,
  sessionId: string,
  sequenceNumber: number,
  messages: number,
  bytes: number,
): Promise<HistoryRow[]> {
  const result = await sql<HistoryRow>`
    select * from history_before(p_session => ${sessionId}, p_number => ${sequenceNumber}, p_messages => ${messages},
      p_bytes => ${bytes})`.execute(db.kysely);
  return result.rows;
}

/** Lists files to place before the turn of this message. */
export async function listAttachmentsToPlace(
  db: Database,
  sessionId: string,
  sequenceNumber: number,
): Promise<AttachmentToPlace[]> {
  const result = await sql<AttachmentToPlace>`select * from inputs_to_place(p_session => ${sessionId},
    p_number => ${sequenceNumber})`.execute(db.kysely);
  return result.rows;
}

/** Lists paths of the session that start with one of these prefixes (primary key of session_inputs). */
export async function listTakenAttachmentPaths(
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

/** Returns the paths of one message (index session_inputs_by_message), by the id of the file for each path. */
export async function listAttachmentPathsOf(db: Database, messageId: string): Promise<Map<string, string>> {
  const rows = await db.kysely
    .selectFrom("session_inputs")
    .where("message_id", "=", messageId)
    .select(["path", "file_id"])
    .execute();
  return new Map(rows.map((row) => [row.path, row.file_id]));
}

/** Returns file names by file id, for files that the organization has (primary key of files). */
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
  /** Whether it is the session's own. */
  readonly isOfSession: boolean;
  /** The hosts for which the credential replaces its placeholder. Null: agents get the value. */
  readonly hosts: readonly string[] | null;
}

/** Lists names that the manifest of the session's version requires (primary keys of sessions and versions). */
export async function listSecretNames(db: Database, organizationId: string, sessionId: string): Promise<string[]> {
  const row = await db.kysely
    .selectFrom("sessions")
    .innerJoin("versions", "versions.id", "sessions.version_id")
    .where("sessions.id", "=", sessionId)
    .where("sessions.organization_id", "=", organizationId)
    .select(sql<string[] | null>`versions.manifest -> 'secrets'`.as("names"))
    .executeTakeFirst();
  return row?.names ?? [];
}

/** Lists the organization's credentials and the session's own secrets with these names; the session's come first. */
export async function listSealedSecrets(
  db: Database,
  organizationId: string,
  sessionId: string,
  names: readonly string[],
): Promise<SealedSecret[]> {
  if (names.length === 0) return [];
  const result = await sql<SealedSecret>`
    select name, sealed, rank = 2 as "isOfSession", hosts from (
      select name, sealed, 1 as rank, hosts from credentials
        where organization_id = ${organizationId} and name = any (${names}::text[])
      union all select s.name, s.sealed, 2, c.hosts from session_secrets s
        left join credentials c on c.organization_id = s.organization_id and c.name = s.name
        where s.organization_id = ${organizationId} and s.session_id = ${sessionId}
          and s.name = any (${names}::text[])) found
    order by rank`.execute(db.kysely);
  return [...new Map(result.rows.map((secret) => [secret.name, secret])).values()];
}
