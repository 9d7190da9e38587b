// Recordings: the answers of completed messages that are kept for replays. See also `turnDetails`.

import { sql } from "kysely";
import type { Database } from "../../database.ts";
import { toPage, type ListPage, type Page } from "../context/page.ts";

export interface RecordingRow {
  /** The message. */
  readonly id: string;
  readonly sessionId: string;
  readonly versionId: string;
  /** The number of answers. */
  readonly answers: number;
  readonly sizeBytes: number;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

const columns = sql`r.message_id as id, r.session_id as "sessionId", s.version_id as "versionId", r.answers,
  r.size_bytes as "sizeBytes", r.created_at as "createdAt", r.expires_at as "expiresAt"`;

/** What can be replayed: not of a deleted session, and not of a message that was rolled back. */
const live = sql`recordings r join sessions s on s.id = r.session_id and s.deleted_at is null
  join messages m on m.id = r.message_id and m.rolled_back_at is null and m.rolled_back_by is null`;

/**
 * Lists an agent's recordings that have not expired, the newest message first (index recordings_by_agent). Returns
 * undefined for a cursor that names no message of the organization.
 */
export async function listRecordings(
  db: Database,
  of: { readonly organizationId: string; readonly agentId: string },
  page: Page,
): Promise<ListPage<RecordingRow> | undefined> {
  const { after } = page;
  if (after !== undefined) {
    const known = sql`select 1 from messages where id = ${after} and organization_id = ${of.organizationId}`;
    if ((await known.execute(db.kysely)).rows.length === 0) return undefined;
  }
  const older = after === undefined ? sql`` : sql`and r.message_id < ${after}`;
  const result = await sql<RecordingRow>`
    select ${columns} from ${live}
    where r.agent_id = ${of.agentId} and r.organization_id = ${of.organizationId}
      and r.expires_at > clock_timestamp() ${older}
    order by r.message_id desc limit ${page.limit + 1}`.execute(db.kysely);
  return toPage(result.rows, page);
}

/** Finds the recording of a message that has not expired (primary keys). */
export async function findRecording(
  db: Database,
  of: { readonly organizationId: string; readonly sessionId: string; readonly messageId: string },
): Promise<RecordingRow | undefined> {
  const result = await sql<RecordingRow>`
    select ${columns} from ${live}
    where r.session_id = ${of.sessionId} and r.message_id = ${of.messageId}
      and r.organization_id = ${of.organizationId} and r.expires_at > clock_timestamp()`.execute(db.kysely);
  return result.rows[0];
}

/** Marks a message that the caller's transaction has accepted into a new fork as the replay of a message. */
export async function markReplay(
  db: Database,
  replay: {
    readonly sessionId: string;
    readonly messageId: string;
    readonly of: string;
    readonly asksModels: boolean;
  },
): Promise<void> {
  await sql`select mark_replay(p_session => ${replay.sessionId}, p_message => ${replay.messageId},
    p_of => ${replay.of}, p_asks_models => ${replay.asksModels})`.execute(db.kysely);
}

/** Counts of a message's requests to models, in all of its attempts. */
export interface RequestCounts {
  /** Requests of the last attempt that were answered with a 2xx status, by a model or from a record. */
  readonly answered: number;
  /** Recorded answers that the last attempt got. */
  readonly recorded: number;
  /** Requests that went to models. */
  readonly live: number;
  /** Position of the first of them in its attempt; null: there is none. */
  readonly firstLive: number | null;
  /** Micro-dollars. Null: the cost of a request is not known. */
  readonly cost: number | null;
}

/** Counts the requests of a message (primary key message_id, fence, ordinal). */
export async function countRequests(
  db: Database,
  of: { readonly organizationId: string; readonly messageId: string },
): Promise<RequestCounts> {
  const result = await sql<RequestCounts>`
    select coalesce(sum(requests) filter (where fence = last and status between 200 and 299), 0)::int as answered,
      coalesce(sum(requests) filter (where fence = last and is_recorded), 0)::int as recorded,
      coalesce(sum(requests) filter (where is_live), 0)::int as live,
      (array_agg(ordinal order by fence, ordinal) filter (where is_live))[1] as "firstLive",
      case when count(*) = count(cost_microusd) then coalesce(sum(cost_microusd), 0)::bigint end as cost
    from (select *, max(fence) over () as last,
        -- What is complete without a status was not sent. A row of sums has no host.
        not is_recorded and (host is null or not is_complete or status is not null) as is_live
      from model_requests
      where message_id = ${of.messageId} and organization_id = ${of.organizationId}) x`.execute(db.kysely);
  const row = result.rows[0];
  if (row === undefined) throw new Error("a count returned no row");
  return row;
}
