// Batches: many sessions with a first message each, created together. Their counts are computed from the messages.

import { limits, type MessageState, type OnBusy } from "@dari/domain";
import { sql, type RawBuilder, type Transaction } from "kysely";
import { withinTransaction, withTransaction, type Database } from "../../database.ts";
import type { DB } from "../../generated/schema.ts";
import { countOpenMessages } from "../turns/dispatch.ts";
import { countRowsWithin, listNewestFirst, type ListPage, type Page } from "../context/page.ts";
import { organizationWithinQuota } from "../tenants/quotas.ts";
import { wordsOf } from "../turns/session-summaries.ts";
import { findPinnedVersion } from "../turns/sessions.ts";
import type { AttachedFile } from "../turns/accept-message.ts";

export interface NewBatchItem {
  readonly sessionId: string;
  readonly messageId: string;
  readonly name: string | null;
  /** Metadata of the session and of its message. */
  readonly metadata: unknown;
  readonly parts: unknown;
  readonly attachments: readonly AttachedFile[];
  /** The session's own secrets. */
  readonly secrets?: readonly { readonly name: string; readonly sealed: Buffer }[];
}

export interface NewBatch {
  readonly id: string;
  readonly organizationId: string;
  readonly agentId: string;
  /** Pins this version, which must be ready (default: the active one, otherwise the newest that is building). */
  readonly versionId: string | undefined;
  readonly name: string | null;
  readonly metadata: unknown;
  readonly onBusy: OnBusy;
  readonly isBackground: boolean;
  /** Maximum number of its concurrent turns; null: no limit of its own. */
  readonly maxConcurrency: number | null;
  readonly items: readonly NewBatchItem[];
}

export type InsertedBatch =
  | { readonly outcome: "created" }
  | { readonly outcome: "agent_gone" | "version_not_ready" | "no_version" | "version_failed" }
  /** `open`: messages that wait or run; `max`: the limit. */
  | { readonly outcome: "backlog_full"; readonly open: number; readonly max: number }
  | { readonly outcome: "unknown_file"; readonly number: number; readonly fileId: string };

/** Thrown to roll back the transaction. */
class Refusal extends Error {
  readonly as: InsertedBatch;

  constructor(as: InsertedBatch) {
    super("the batch was refused");
    this.as = as;
  }
}

/**
 * Inserts all sessions with their messages, or nothing, in four statements for any number of them, and a fifth for
 * their secrets. Each message goes through `accept_message`. Batches of one organization run one after the other, so
 * that none overlooks what another adds to the backlog.
 */
export async function insertBatch(db: Database, batch: NewBatch): Promise<InsertedBatch> {
  try {
    return await withTransaction(db, async (tx): Promise<InsertedBatch> => {
      await sql`select pg_advisory_xact_lock(hashtext('dari batches'), hashtext(${batch.organizationId}))`.execute(tx);
      const room = await countOpenMessages(
        withinTransaction(db, tx),
        batch.organizationId,
        limits.backlogPerOrganization,
      );
      if (room === undefined) return { outcome: "agent_gone" };
      if (room.open + batch.items.length > room.max) return { outcome: "backlog_full", ...room };
      const pin = await findPinnedVersion(tx, batch);
      if (pin === undefined) return { outcome: "agent_gone" };
      if (pin.versionId === null) {
        return { outcome: batch.versionId === undefined ? "no_version" : "version_not_ready" };
      }
      await insertRows(tx, batch, pin.versionId);
      await insertSecrets(tx, batch);
      await acceptMessages(tx, batch);
      return { outcome: "created" };
    });
  } catch (error) {
    if (error instanceof Refusal) return error.as;
    throw error;
  }
}

const itemColumns = sql`(number int, session_id text, message_id text, name text, metadata jsonb, parts jsonb,
  inputs jsonb)`;

function itemsJson({ items }: NewBatch): string {
  return JSON.stringify(
    items.map((item, number) => ({
      number,
      session_id: item.sessionId,
      message_id: item.messageId,
      name: item.name,
      metadata: item.metadata,
      parts: item.parts,
      inputs: item.attachments.map(({ path, fileId }) => ({ path, file_id: fileId })),
    })),
  );
}

async function insertRows(tx: Transaction<DB>, batch: NewBatch, versionId: string): Promise<void> {
  const { id, organizationId, agentId, items } = batch;
  const rows = itemsJson(batch);
  await sql`
    insert into session_batches (id, organization_id, agent_id, name, metadata, total, is_background, max_concurrency)
      values (${id}, ${organizationWithinQuota(organizationId, "sessions", items.length)}, ${agentId}, ${batch.name},
        ${JSON.stringify(batch.metadata)}::jsonb, ${items.length}, ${batch.isBackground},
        ${batch.maxConcurrency})`.execute(tx);
  await sql`
    with item as materialized (select * from jsonb_to_recordset(${rows}::jsonb) as x ${itemColumns}),
    listed as (
      insert into session_batch_items (batch_id, number, organization_id, session_id, message_id)
        select ${id}, number, ${organizationId}, session_id, message_id from item),
    started as (
      insert into sessions (id, organization_id, agent_id, version_id, name, metadata, on_busy, next_event_number,
          created_by)
        select session_id, ${organizationId}, ${agentId}, ${versionId}, name, metadata, ${batch.onBusy}, 2, ${id}
        from item)
    insert into events (session_id, sequence_number, organization_id, type, data)
      select session_id, 1, ${organizationId}, 'session.created', jsonb_build_object('agent_id', ${agentId}::text,
        'version_id', ${versionId}::text, 'name', name, 'metadata', metadata)
      from item`.execute(tx);
}

async function insertSecrets(tx: Transaction<DB>, { organizationId, items }: NewBatch): Promise<void> {
  const all = items.flatMap(({ sessionId, secrets = [] }) => secrets.map((secret) => ({ sessionId, ...secret })));
  if (all.length === 0) return;
  await sql`
    insert into session_secrets (session_id, organization_id, name, sealed)
      select session_id, ${organizationId}, name, sealed
      from unnest(${all.map(({ sessionId }) => sessionId)}::text[], ${all.map(({ name }) => name)}::text[],
        ${all.map(({ sealed }) => sealed)}::bytea[]) as x (session_id, name, sealed)`.execute(tx);
}

/** @throws Refusal with the first item that is not accepted */
async function acceptMessages(tx: Transaction<DB>, batch: NewBatch): Promise<void> {
  const result = await sql<{ number: number; outcome: string; detail: string | null }>`
    select i.number, a.outcome, a.detail
    from (select * from jsonb_to_recordset(${itemsJson(batch)}::jsonb) as x ${itemColumns} order by number) i
      cross join lateral accept_message(p_organization => ${batch.organizationId}, p_session => i.session_id,
        p_message => i.message_id, p_parts => i.parts, p_metadata => i.metadata, p_inputs => i.inputs,
        p_dispatch_ttl_ms => null, p_on_busy => null, p_retry_of => null, p_merge_parts => ${limits.mergedPartsMax},
        p_merge_bytes => ${limits.mergedPartsBytes}, p_background => ${batch.isBackground},
        p_batch => ${batch.maxConcurrency === null ? null : batch.id}::text) a`.execute(tx);
  const refused = result.rows.find(({ outcome }) => outcome !== "accepted");
  if (refused === undefined) return;
  const { number, outcome, detail } = refused;
  if (outcome === "unknown_file") throw new Refusal({ outcome, number, fileId: detail ?? "" });
  if (outcome === "version_failed") throw new Refusal({ outcome });
  throw new Error(`the first message of a new session was refused: ${outcome}`);
}

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

/** `again`: it was requested before. */
export async function requestBatchCancelIfFound(
  db: Database,
  { organizationId, batchId }: BatchKey,
): Promise<"requested" | "again" | "missing"> {
  const result = await sql`update session_batches set cancel_requested_at = clock_timestamp()
    where id = ${batchId} and organization_id = ${organizationId} and cancel_requested_at is null`.execute(db.kysely);
  if (result.numAffectedRows === 1n) return "requested";
  return (await findBatch(db, { organizationId, batchId })) === undefined ? "missing" : "again";
}

export interface CancelledItem {
  readonly outcome: "cancelled" | "requested" | "terminal" | "not_found";
  readonly messageId: string;
  readonly sessionId: string;
}

/**
 * Cancels the next `limit` open messages of a batch whose cancellation was requested, in one order of sessions, to
 * avoid deadlocks. If none are left, marks the cancellation as finished.
 */
export async function cancelOpenItems(
  db: Database,
  { organizationId, batchId }: BatchKey,
  limit: number,
): Promise<CancelledItem[]> {
  const result = await sql<CancelledItem>`
    select c.outcome, o.message_id as "messageId", o.session_id as "sessionId"
    from (select i.message_id, i.session_id from session_batch_items i join messages m on m.id = i.message_id
        where i.batch_id = ${batchId} and i.organization_id = ${organizationId} and m.completed_at is null
          and m.cancel_requested_at is null
        order by i.session_id limit ${limit}) o
      cross join lateral cancel_message(p_organization => ${organizationId},
        p_message => o.message_id) c`.execute(db.kysely);
  if (result.rows.length > 0) return result.rows;
  await sql`update session_batches set cancelled_at = clock_timestamp()
    where id = ${batchId} and organization_id = ${organizationId} and cancel_requested_at is not null
      and cancelled_at is null`.execute(db.kysely);
  return [];
}

/** Returns batches with an unfinished cancellation (index session_batches_to_cancel). */
export async function listBatchesToCancel(db: Database, limit: number): Promise<BatchKey[]> {
  const result = await sql<BatchKey>`
    select organization_id as "organizationId", id as "batchId" from session_batches
    where cancel_requested_at is not null and cancelled_at is null order by cancel_requested_at limit ${limit}`.execute(
    db.kysely,
  );
  return result.rows;
}

/** Deletes batches older than `keepMs` (index session_batches_by_age); their sessions stay. */
export async function purgeBatches(db: Database, keepMs: number, limit: number): Promise<number> {
  const result = await sql`
    delete from session_batches where id in (
      select id from session_batches where created_at < clock_timestamp() - ${keepMs} * interval '1 millisecond'
      order by created_at limit ${limit} for update skip locked)`.execute(db.kysely);
  return Number(result.numAffectedRows ?? 0);
}
