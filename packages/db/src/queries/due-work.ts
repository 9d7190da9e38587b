// What the frequent passes of the reconciler would find, read by one statement.

import { sql } from "kysely";
import type { Database } from "../database.ts";
import { writesAccepted } from "./readiness.ts";

/** Whether each of these has something to do now. */
export interface DueWork {
  /** Sessions that wait for a slot. */
  readonly ready: boolean;
  /** Leases and dispatches that have expired, and retries that are due. */
  readonly expired: boolean;
  /** Inputs that were not answered in time. */
  readonly inputs: boolean;
  /** Sessions that a budget or a stop holds back. */
  readonly held: boolean;
  /** Schedules that are due. */
  readonly schedules: boolean;
  /** Events without deliveries, and deliveries that are not sent, also those that are not due yet. */
  readonly webhooks: boolean;
}

/**
 * Reads the first entry of a partial index for each. The clock is read once, because an index condition needs that.
 * Throws if the database accepts no writes, because no pass can then do its work.
 */
export async function readDueWork(db: Database): Promise<DueWork> {
  const result = await sql<DueWork & { acceptsWrites: boolean }>`
    with clock as materialized (select clock_timestamp() as now)
    select (select true from sessions where schedule = 'ready' order by organization_id limit 1) is not null as ready,
      (select true from sessions where schedule in ('dispatched', 'leased') and lease_until < (select now from clock)
        order by lease_until limit 1) is not null
      or (select true from sessions where schedule = 'retry_wait' and ready_at <= (select now from clock)
        order by ready_at limit 1) is not null as expired,
      (select true from message_inputs where state = 'waiting' and expires_at < (select now from clock)
        order by expires_at limit 1) is not null as inputs,
      (select true from sessions where blocked_reason in ('budget', 'paused') order by organization_id limit 1)
        is not null as held,
      (select true from schedules where status = 'active' and next_due_at <= (select now from clock)
        order by next_due_at limit 1) is not null as schedules,
      (select true from webhook_outbox order by id limit 1) is not null
      or (select true from webhook_deliveries where state = 'pending' order by endpoint_id limit 1) is not null
        as webhooks,
      ${writesAccepted} as "acceptsWrites"`.execute(db.kysely);
  const { acceptsWrites, ...work } = result.rows[0]!;
  if (!acceptsWrites) throw new Error("the database accepts no writes");
  return work;
}
