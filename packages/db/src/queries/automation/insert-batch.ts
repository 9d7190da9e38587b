// Creates a batch: many sessions with a first message each, in one transaction.

import { limits, type OnBusy } from "@dari/domain";
import { sql, type Transaction } from "kysely";
import { withinTransaction, withTransaction, type Database } from "../../database.ts";
import type { DB } from "../../generated/schema.ts";
import { countOpenMessages } from "../turns/dispatch.ts";
import { organizationWithinQuota } from "../tenants/quotas.ts";
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
