// What the frequent passes of the reconciler, or of a worker, would find, each read by one statement.

import { sql } from "kysely";
import type { Database } from "../../database.ts";
import { writesAccepted } from "../context/readiness.ts";

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
  /** Builds that have not ended. */
  readonly builds: boolean;
  /** Turns that are dispatched, that run, or that wait for a retry. */
  readonly queued: boolean;
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
      (select true from versions where state = 'building' order by created_at limit 1) is not null as builds,
      (select true from sessions where schedule in ('dispatched', 'leased') order by lease_until limit 1) is not null
      or (select true from sessions where schedule = 'retry_wait' order by ready_at limit 1) is not null as queued,
      ${writesAccepted} as "acceptsWrites"`.execute(db.kysely);
  const { acceptsWrites, ...work } = result.rows[0]!;
  if (!acceptsWrites) throw new Error("the database accepts no writes");
  return work;
}

/** Whether each of these concerns a worker now. */
export interface WorkerWork {
  /** Whether a process leads the dispatch. */
  readonly leader: boolean;
  /** Turns that were dispatched, and that no worker has claimed for a while. */
  readonly unclaimed: boolean;
  /** Builds that no worker holds. */
  readonly builds: boolean;
}

export interface WorkerWorkBounds {
  /** The name of the dispatch's lead, and how long ago its holder may have been seen, in milliseconds. */
  readonly lead: string;
  readonly leadTtlMs: number;
  /** A dispatch that expires within this time is unclaimed for a while, in milliseconds. */
  readonly expiresWithinMs: number;
  /** Builds that were lost as often are not built again. */
  readonly buildLossesMax: number;
}

/** Reads one row, or the first entry of a partial index, for each. */
export async function readWorkerWork(db: Database, o: WorkerWorkBounds): Promise<WorkerWork> {
  const result = await sql<WorkerWork>`
    with clock as materialized (select clock_timestamp() as now)
    select (select true from leaders where name = ${o.lead}
        and seen_at between (select now from clock) - ${o.leadTtlMs} * interval '1 millisecond'
          and (select now from clock)) is not null as leader,
      (select true from sessions where schedule = 'dispatched'
        and lease_until > (select now from clock)
        and lease_until < (select now from clock) + ${o.expiresWithinMs} * interval '1 millisecond'
        order by lease_until limit 1) is not null as unclaimed,
      (select true from versions where state = 'building' and build_losses < ${o.buildLossesMax}
        and (build_lease_until is null or build_lease_until < (select now from clock))
        order by created_at limit 1) is not null as builds`.execute(db.kysely);
  return result.rows[0]!;
}
