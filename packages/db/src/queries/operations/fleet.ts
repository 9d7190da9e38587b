// What operators watch: waiting organizations, running turns, and workers. Reads only partial indexes of what waits and
// runs.

import type { WorkerReport } from "@dari/domain";
import { sql } from "kysely";
import type { Database } from "../../database.ts";

export interface WaitingOrganization {
  readonly organizationId: string;
  readonly name: string;
  readonly weight: number;
  readonly maxConcurrency: number | null;
  readonly ready: number;
  readonly oldestReadyMs: number | null;
  readonly inFlight: number;
}

/**
 * Lists organizations that wait or run, the longest wait first. Counts ready sessions up to `countMax` (loose scan of
 * sessions_ready, and sessions_in_flight).
 */
export async function listBusyOrganizations(
  db: Database,
  { most, countMax }: { readonly most: number; readonly countMax: number },
): Promise<WaitingOrganization[]> {
  const result = await sql<WaitingOrganization>`
    with waiting as (
      select r.id, oldest_ready_at(r.id) as ready_at from ready_organizations() as r (id)),
    held as (
      select organization_id as id, count(*)::int as in_flight from sessions
      where schedule in ('dispatched', 'leased') group by organization_id),
    shown as (
      select coalesce(w.id, h.id) as id, w.ready_at, coalesce(h.in_flight, 0) as in_flight
      from waiting w full join held h on h.id = w.id
      order by w.ready_at nulls last, in_flight desc limit ${most})
    select o.id as "organizationId", o.name, o.weight, o.max_concurrency as "maxConcurrency",
      s.in_flight as "inFlight",
      extract(epoch from clock_timestamp() - s.ready_at)::float8 * 1000 as "oldestReadyMs",
      (select count(*)::int from (select 1 from sessions x where x.schedule = 'ready' and x.organization_id = s.id
        limit ${countMax}) y) as ready
    from shown s join organizations o on o.id = s.id
    order by s.ready_at nulls last, s.in_flight desc, o.id`.execute(db.kysely);
  return result.rows;
}

export interface TurnInFlight {
  readonly organizationId: string;
  readonly sessionId: string;
  readonly messageId: string | null;
  readonly state: string;
  readonly workerId: string | null;
  readonly attempt: number | null;
  readonly runningMs: number | null;
  readonly leaseLeftMs: number;
}

/**
 * Lists the turns, the lease that ends soonest first (index sessions_in_flight; messages_open and attempts of each).
 */
export async function listTurnsInFlight(db: Database, most: number): Promise<TurnInFlight[]> {
  const result = await sql<TurnInFlight>`
    select s.organization_id as "organizationId", s.id as "sessionId", m.id as "messageId", s.schedule as state,
      s.worker_id as "workerId", a.number as attempt,
      extract(epoch from clock_timestamp() - a.claimed_at)::float8 * 1000 as "runningMs",
      extract(epoch from s.lease_until - clock_timestamp())::float8 * 1000 as "leaseLeftMs"
    from (select * from sessions where schedule in ('dispatched', 'leased') order by lease_until limit ${most}) s
    left join lateral (select id from messages where session_id = s.id and completed_at is null
      order by sequence_number limit 1) m on true
    left join attempts a on a.session_id = s.id and a.fence = s.fence and s.schedule = 'leased'
    order by s.lease_until`.execute(db.kysely);
  return result.rows;
}

export interface BusyWorker {
  readonly id: string;
  readonly pool: string;
  readonly slots: number;
  readonly inUse: number;
  readonly draining: boolean;
  readonly seenMsAgo: number;
  readonly release: number;
  readonly details: WorkerReport;
}

/** Lists workers with what each holds of sessions_in_flight, the most recently seen first (a few hundred rows). */
export async function listBusyWorkers(db: Database, most: number): Promise<BusyWorker[]> {
  const result = await sql<BusyWorker>`
    with held as (
      select worker_id, count(*)::int as in_use from sessions where schedule = 'leased' group by worker_id)
    select w.id, w.release, w.pool, w.slots, w.draining, w.details, coalesce(h.in_use, 0) as "inUse",
      extract(epoch from clock_timestamp() - w.seen_at)::float8 * 1000 as "seenMsAgo"
    from workers w left join held h on h.worker_id = w.id order by w.seen_at desc limit ${most}`.execute(db.kysely);
  return result.rows;
}

export interface WaitingTurn {
  readonly organizationId: string;
  readonly organization: string;
  readonly sessionId: string;
  readonly messageId: string;
  readonly isBackground: boolean;
  /** Number of counted attempts so far. */
  readonly attempts: number;
  readonly acceptedAt: Date;
  readonly readyAt: Date;
}

const waitingColumns = sql`s.organization_id as "organizationId", o.name as organization, s.id as "sessionId",
  s.is_background as "isBackground", s.ready_at as "readyAt", m.id as "messageId", m.attempts,
  m.created_at as "acceptedAt"`;

/**
 * Returns the turns that wait for a slot, by organization and lane, the longest wait first (sessions_ready in its
 * order, messages_open).
 */
export async function listWaitingTurns(
  db: Database,
  { offset, limit }: { readonly offset: number; readonly limit: number },
): Promise<WaitingTurn[]> {
  const result = await sql<WaitingTurn>`
    select ${waitingColumns}
    from (select * from sessions where schedule = 'ready'
      order by organization_id, is_background, limit_group, ready_at, id offset ${offset} limit ${limit}) s
    join organizations o on o.id = s.organization_id
    cross join lateral (select id, attempts, created_at from messages
      where session_id = s.id and completed_at is null order by sequence_number limit 1) m
    order by s.organization_id, s.is_background, s.limit_group, s.ready_at, s.id`.execute(db.kysely);
  return result.rows;
}

/** Returns the turn of a message that waits for a slot (primary keys, messages_open). */
export async function findWaitingTurn(db: Database, messageId: string): Promise<WaitingTurn | undefined> {
  const result = await sql<WaitingTurn>`
    select ${waitingColumns}
    from messages m join sessions s on s.id = m.session_id join organizations o on o.id = s.organization_id
    where m.id = ${messageId} and m.completed_at is null and s.schedule = 'ready'
      and not exists (select 1 from messages e where e.session_id = s.id and e.completed_at is null
        and e.sequence_number < m.sequence_number)`.execute(db.kysely);
  return result.rows[0];
}
