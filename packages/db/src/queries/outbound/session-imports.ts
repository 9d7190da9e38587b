// Inserts a session whose conversation ran in another installation, in a transaction that the caller opens.

import { sql } from "kysely";
import type { Database } from "../../database.ts";
import { organizationWithinQuota } from "../tenants/quotas.ts";
import type { TurnSnapshot } from "../turns/finish-turn.ts";

/** Finds a version with these bundle bytes, of a live agent: a ready one first, then the newest. */
export async function findVersionOfBundle(
  db: Database,
  organizationId: string,
  bundle: { readonly sha256: string; readonly agentId: string | undefined },
): Promise<{ versionId: string; agentId: string } | undefined> {
  const result = await sql<{ versionId: string; agentId: string }>`
    select v.id as "versionId", v.agent_id as "agentId"
    from source_snapshots b join versions v on v.source_snapshot_id = b.id join agents a on a.id = v.agent_id
    where b.organization_id = ${organizationId} and b.sha256 = ${bundle.sha256} and v.state <> 'failed'
      and a.deleted_at is null and (${bundle.agentId ?? null}::text is null or a.id = ${bundle.agentId ?? null})
    order by v.state = 'ready' desc, v.created_at desc limit 1`.execute(db.kysely);
  return result.rows[0];
}

/** Inserts a bundle that was already checked. */
export async function insertReadyBundle(
  db: Database,
  bundle: {
    readonly id: string;
    readonly organizationId: string;
    readonly sha256: string;
    readonly sizeBytes: number;
    readonly objectKey: string;
    readonly manifestText: string;
  },
): Promise<void> {
  await db.kysely
    .insertInto("source_snapshots")
    .values({
      id: bundle.id,
      organization_id: organizationWithinQuota(bundle.organizationId, "storage_bytes", bundle.sizeBytes),
      sha256: bundle.sha256,
      size_bytes: bundle.sizeBytes,
      object_key: bundle.objectKey,
      state: "ready",
      manifest_text: bundle.manifestText,
      upload_expires_at: sql<Date>`clock_timestamp()`,
    })
    .execute();
}

export interface ImportedSession {
  readonly id: string;
  readonly organizationId: string;
  readonly versionId: string;
  readonly name: string | null;
  readonly metadata: unknown;
  readonly onBusy: string;
  readonly internetAccess: boolean | null;
  /** Its id in the other installation. */
  readonly importedFrom: string;
  /** The workspace of the export. It has no parent. */
  readonly snapshot: TurnSnapshot;
}

/** Inserts the session with its head and its first event. Returns false if the version's agent is gone. */
export async function insertSessionIfAgentLive(db: Database, session: ImportedSession): Promise<boolean> {
  const { snapshot } = session;
  const result = await sql`
    with made as (
      insert into sessions (id, organization_id, agent_id, version_id, name, metadata, on_busy, internet_access,
          head_snapshot_id, base_snapshot_id, next_event_number)
        select ${session.id}, counted_in(
          p_organization => counted_in(p_organization => v.organization_id, p_kind => 'storage_bytes',
            p_more => ${snapshot.totalBytes}::bigint),
          p_kind => 'sessions', p_more => 1), a.id, v.id, ${session.name},
          ${JSON.stringify(session.metadata)}::jsonb, ${session.onBusy}, ${session.internetAccess}::boolean,
          ${snapshot.id}, ${snapshot.id}, 2
        from versions v join agents a on a.id = v.agent_id
        where v.id = ${session.versionId} and v.organization_id = ${session.organizationId} and a.deleted_at is null
        returning *),
    head as (
      insert into snapshots (id, organization_id, session_id, kind, object_key, is_full, tree_hash, size_bytes, files,
          total_bytes)
        select ${snapshot.id}, organization_id, id, 'write', ${snapshot.objectKey}, true, ${snapshot.treeHash},
          ${snapshot.sizeBytes}, ${snapshot.files}, ${snapshot.totalBytes} from made)
    insert into events (session_id, sequence_number, organization_id, type, data)
      select id, 1, organization_id, 'session.created', jsonb_build_object('agent_id', agent_id,
        'version_id', version_id, 'name', name, 'metadata', metadata,
        'imported_from', ${session.importedFrom}::text) from made`.execute(db.kysely);
  return result.numAffectedRows === 1n;
}

export interface ImportedMessage {
  readonly id: string;
  readonly n: number;
  readonly state: string;
  readonly parts: unknown;
  readonly metadata: unknown;
  readonly output: unknown;
  readonly files_changed: unknown;
  readonly attempts: number;
  readonly max_attempts: number;
  readonly timings: unknown;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly completed_at: string;
  readonly retry_of: string | null;
  readonly interrupted_by: string | null;
  /** The message whose turn has taken this one. */
  readonly steered_into: string | null;
  readonly copied_from: string;
  readonly lacks_workspace: boolean;
}

type Place = Pick<ImportedSession, "id" | "organizationId">;

/** No time is later than now, whatever the other installation's clock said. `snapshotId`: the session's head. */
export async function insertMessages(
  db: Database,
  session: Place,
  snapshotId: string,
  rows: readonly ImportedMessage[],
): Promise<void> {
  await sql`
    insert into messages (id, organization_id, session_id, sequence_number, state, parts, metadata, output,
        files_changed, attempts, max_attempts, snapshot_id, retry_of, interrupted_by, timings, created_at, started_at,
        completed_at, copied_from, head_snapshot_id, lacks_workspace, is_steering, merged_into, steered_into)
      select r.id, ${session.organizationId}, ${session.id}, r.n, r.state, r.parts, r.metadata,
        nullif(r.output, 'null'), r.files_changed, r.attempts, r.max_attempts,
        case when r.state = 'completed' and r.steered_into is null then ${snapshotId} end, r.retry_of,
        r.interrupted_by, r.timings,
        least(r.created_at, now()), case when r.started_at is not null then least(r.started_at, now()) end,
        least(r.completed_at, now()), r.copied_from,
        case when not r.lacks_workspace then ${snapshotId} end, r.lacks_workspace, r.steered_into is not null,
        case when r.state = 'completed' then r.steered_into end, r.steered_into
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as r (id text, n int, state text, parts jsonb,
        metadata jsonb, output jsonb, files_changed jsonb, attempts int, max_attempts int, timings jsonb,
        created_at timestamptz, started_at timestamptz, completed_at timestamptz, retry_of text, interrupted_by text,
        steered_into text, copied_from text, lacks_workspace boolean)`.execute(db.kysely);
}

export interface ImportedInput {
  readonly message_id: string;
  readonly path: string;
  readonly file_id: string;
}

export async function insertInputs(db: Database, session: Place, rows: readonly ImportedInput[]): Promise<void> {
  if (rows.length === 0) return;
  await sql`
    insert into session_inputs (session_id, organization_id, path, message_id, file_id)
      select ${session.id}, ${session.organizationId}, r.path, r.message_id, r.file_id
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as r (path text, message_id text, file_id text)`.execute(
    db.kysely,
  );
}

export interface ImportedEvent {
  readonly n: number;
  readonly message_id: string;
  readonly attempt_id?: string;
  readonly type: string;
  /** Default: the message's record. */
  readonly data?: unknown;
  readonly created_at: string;
}

export async function insertEvents(db: Database, session: Place, rows: readonly ImportedEvent[]): Promise<void> {
  await sql`
    with told as (
      insert into events (session_id, sequence_number, organization_id, type, message_id, attempt_id, data, created_at)
      select ${session.id}, r.n, ${session.organizationId}, r.type, m.id, r.attempt_id,
        case r.type
          when 'user.message' then jsonb_build_object('parts', m.parts, 'metadata', m.metadata)
          when 'assistant.message_completed' then jsonb_build_object('output', m.output)
          when 'workspace.committed' then
            jsonb_build_object('snapshot_id', m.snapshot_id, 'files_changed', m.files_changed)
          when 'message.steered' then jsonb_build_object('into', m.steered_into)
          else coalesce(r.data, '{}') end,
        least(r.created_at, now())
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as r (n bigint, message_id text, attempt_id text,
        type text, data jsonb, created_at timestamptz) join messages m on m.id = r.message_id
      returning sequence_number, type, message_id)
    update messages m set steered_event = told.sequence_number
      from told where told.type = 'message.steered' and m.id = told.message_id`.execute(db.kysely);
}

/** Sets the sequence numbers with which the session continues. */
export async function setSessionCounters(
  db: Database,
  session: Place,
  last: { readonly messages: number; readonly events: number; readonly messageId: string | null },
): Promise<void> {
  await sql`
    update sessions set next_sequence_number = ${last.messages + 1}, next_event_number = ${last.events + 1},
      last_message_id = ${last.messageId} where id = ${session.id}`.execute(db.kysely);
}
