// Reads batches. Their counts are computed from the messages.

import { limits, type MessageState } from "@dari/domain";
import { sql, type RawBuilder } from "kysely";
import type { Database } from "../../database.ts";
import { countRowsWithin, listNewestFirst, type ListPage, type Page } from "../context/page.ts";
import { wordsOf } from "../turns/session-summaries.ts";

export interface BatchRow {
  readonly id: string;
  readonly agentId: string;
  readonly name: string | null;
  readonly metadata: unknown;
  readonly total: number;
  readonly isBackground: boolean;
  readonly maxConcurrency: number | null;
  readonly createdAt: Date;
  readonly cancelRequestedAt: Date | null;
}

export interface BatchKey {
  readonly organizationId: string;
  readonly batchId: string;
}

function selectBatches(db: Database, organizationId: string) {
  return db.kysely
    .selectFrom("session_batches")
    .where("organization_id", "=", organizationId)
    .select(["id", "agent_id as agentId", "name", "metadata", "total", "created_at as createdAt"])
    .select(["is_background as isBackground", "max_concurrency as maxConcurrency"])
    .select("cancel_requested_at as cancelRequestedAt");
}

/** Finds a batch by primary key. */
export async function findBatch(db: Database, { organizationId, batchId }: BatchKey): Promise<BatchRow | undefined> {
  return selectBatches(db, organizationId).where("id", "=", batchId).executeTakeFirst();
}

/** Lists batches, newest first (index session_batches_by_organization). A large page has at most `limits.pageBytes`. */
export function listBatches(db: Database, organizationId: string, page: Page): Promise<ListPage<BatchRow> | undefined> {
  const bytes = sql<number>`octet_length(metadata::text)`;
  const query = selectBatches(db, organizationId);
  return listNewestFirst(db, { table: "session_batches", organizationId, page, bytes }, query);
}

/**
 * Returns those of these batches that have an open first message. Reads the organization's open messages, not the
 * batches' (index messages_open_by_organization, primary key of sessions).
 */
export async function listOpenBatches(
  db: Database,
  organizationId: string,
  batchIds: readonly string[],
): Promise<ReadonlySet<string>> {
  if (batchIds.length === 0) return new Set();
  const result = await sql<{ id: string }>`
    select distinct s.created_by as id
    from messages m join sessions s on s.id = m.session_id and s.deleted_at is null
    where m.organization_id = ${organizationId} and coalesce(m.completed_at, 'infinity') = 'infinity'
      and m.sequence_number = 1 and s.created_by = any (${[...batchIds]}::text[])`.execute(db.kysely);
  return new Set(result.rows.map(({ id }) => id));
}

export interface BatchProgress {
  /** Messages per state; `deleted`: with their session. */
  readonly counts: Readonly<Partial<Record<MessageState | "deleted", number>>>;
  /** When the last message ended; null if one has not, or all are deleted. */
  readonly endedAt: Date | null;
}

/** Counts a batch's messages by status, with one read by primary key per message. */
export async function findBatchProgress(db: Database, { organizationId, batchId }: BatchKey): Promise<BatchProgress> {
  const result = await sql<{ state: MessageState | "deleted"; count: number; last: Date | null }>`
    select coalesce(m.state, 'deleted') as state, count(*)::int as count, max(m.completed_at) as last
    from session_batch_items i
      left join sessions s on s.id = i.session_id and s.deleted_at is null
      left join messages m on m.id = i.message_id and s.id is not null
    where i.batch_id = ${batchId} and i.organization_id = ${organizationId} group by 1`.execute(db.kysely);
  const { rows } = result;
  const hasOpen = rows.some(({ state, last }) => state !== "deleted" && last === null);
  const last = Math.max(...rows.map((row) => row.last?.getTime() ?? 0));
  return {
    counts: Object.fromEntries(rows.map(({ state, count }) => [state, count])),
    endedAt: hasOpen || last <= 0 ? null : new Date(last),
  };
}

/** Returns the newest retry of a message in its session, or the message itself (index messages_by_retry_of). */
function newestOf(messageId: RawBuilder<unknown>, sessionId: RawBuilder<unknown>) {
  return sql<{ id: string }>`(with recursive chain as (
    select ${messageId} as id
    union all select r.id from chain c join messages r on r.retry_of = c.id and r.session_id = ${sessionId})
    select max(id) as id from chain)`.as<"newest">(sql.ref("newest"));
}

export interface BatchItemRow {
  readonly number: number;
  readonly sessionId: string;
  readonly messageId: string;
  readonly name: string | null;
  /** Null if deleted with its session. */
  readonly messageState: MessageState | null;
  readonly error: unknown;
  /** The message, or its newest retry. */
  readonly newestId: string;
  readonly newestState: MessageState | null;
  readonly prompt: string | null;
  readonly answer: string | null;
  readonly durationMs: number | null;
}

/** Lists a batch's items in order (primary key). Returns undefined if the cursor names no session of the batch. */
export async function listBatchItems(
  db: Database,
  { organizationId, batchId }: BatchKey,
  page: Page & { readonly state?: MessageState | undefined },
): Promise<ListPage<BatchItemRow> | undefined> {
  let query = db.kysely
    .selectFrom("session_batch_items as i")
    .leftJoin("sessions as s", (join) => join.onRef("s.id", "=", "i.session_id").on("s.deleted_at", "is", null))
    .leftJoin("messages as m", (join) => join.onRef("m.id", "=", "i.message_id").on("s.id", "is not", null))
    .where("i.batch_id", "=", batchId)
    .where("i.organization_id", "=", organizationId);
  if (page.after !== undefined) {
    const known = await query.where("i.session_id", "=", page.after).select("i.number").executeTakeFirst();
    if (known === undefined) return undefined;
    query = query.where("i.number", ">", known.number);
  }
  if (page.state !== undefined) query = query.where("m.state", "=", page.state);
  const rows = await query
    .select(["i.number", "i.session_id as sessionId", "i.message_id as messageId", "s.name"])
    .select([sql<MessageState | null>`m.state`.as("messageState"), sql<unknown>`m.output -> 'error'`.as("error")])
    .innerJoinLateral(newestOf(sql`i.message_id`, sql`i.session_id`), (join) => join.onTrue())
    .leftJoin("messages as n", (join) => join.onRef("n.id", "=", "newest.id").on("s.id", "is not", null))
    .select(["newest.id as newestId", sql<MessageState | null>`n.state`.as("newestState")])
    .select(wordsOf(sql`n.parts`, sql`n.parts`).as("prompt"))
    .select(wordsOf(sql`n.output`, sql`n.output -> 'parts'`).as("answer"))
    .select(sql<number | null>`(extract(epoch from n.completed_at - n.started_at) * 1000)::float8`.as("durationMs"))
    .orderBy("i.number")
    .limit(page.limit + 1)
    .execute();
  const shown = rows.slice(0, page.limit);
  return { rows: shown, next: rows.length > page.limit ? (shown.at(-1)?.sessionId ?? null) : null };
}

/** The end of one session of a batch; all null if the session is deleted. */
export interface BatchResultRow {
  readonly number: number;
  readonly sessionId: string;
  readonly messageId: string;
  readonly name: string | null;
  readonly metadata: unknown;
  readonly state: MessageState | null;
  readonly parts: unknown;
  readonly output: unknown;
  readonly attempts: number | null;
  readonly startedAt: Date | null;
  readonly completedAt: Date | null;
}

/**
 * Lists the results after the item `after`, in order, at most `limit`, as many as fit into `limits.pageBytes` (primary
 * keys, messages_by_retry_of). A message that was retried has the result of its newest retry.
 */
export async function listBatchResults(
  db: Database,
  { organizationId, batchId }: BatchKey,
  after: number,
  limit: number,
): Promise<BatchResultRow[]> {
  const results = sql`
    (select * from session_batch_items where batch_id = ${batchId} and organization_id = ${organizationId}
        and number > ${after} order by number limit ${limit}) i
      left join sessions s on s.id = i.session_id and s.deleted_at is null
      cross join lateral ${newestOf(sql`i.message_id`, sql`i.session_id`)}
      left join messages m on m.id = newest.id and s.id is not null`;
  const found = await sql<{ number: number; bytes: number }>`
    select i.number, coalesce(octet_length(s.metadata::text), 0) + coalesce(octet_length(m.parts::text), 0)
      + coalesce(octet_length(m.output::text), 0) as bytes
    from ${results} order by i.number`.execute(db.kysely);
  const last = found.rows[countRowsWithin(found.rows, limits.pageBytes) - 1];
  if (last === undefined) return [];
  const result = await sql<BatchResultRow>`
    select i.number, i.session_id as "sessionId", coalesce(m.id, i.message_id) as "messageId", s.name, s.metadata,
      m.state, m.parts, m.output, m.attempts, m.started_at as "startedAt", m.completed_at as "completedAt"
    from ${results} where i.number <= ${last.number} order by i.number`.execute(db.kysely);
  return result.rows;
}
