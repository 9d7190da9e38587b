// Cancels batches, and deletes old ones.

import { sql } from "kysely";
import type { Database } from "../../database.ts";
import { findBatch, type BatchKey } from "./read-batch.ts";

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
