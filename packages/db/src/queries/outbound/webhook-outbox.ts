// From events to receivers: notes become deliveries; deliveries are claimed, sent elsewhere, and settled.

import { sql, type RawBuilder } from "kysely";
import { withTransaction, type Database } from "../../database.ts";

export interface OutboxExpansion {
  readonly notes: number;
  readonly deliveries: number;
}

/**
 * Events per note; the rest becomes the newest note. A fork or an import commits as many events as its conversation
 * has, which could make one statement run too long.
 */
const eventsPerNoteMax = 1_000;

/**
 * Creates deliveries from the oldest notes, for each endpoint that chose the type, in one statement, which sees all
 * events that were committed with a note. Copies in a fork or an import are not delivered, nor are those of a replay's
 * message: a receiver would act on its answer a second time. Safe to run concurrently:
 * each call skips locked notes. Events are read by primary key, whatever the planner guesses.
 */
export async function createDeliveriesFromOutbox(db: Database, limit: number): Promise<OutboxExpansion> {
  const result = await sql<OutboxExpansion>`
    with noted as (
      delete from webhook_outbox where id in (
        select id from webhook_outbox order by id limit ${limit} for update skip locked)
      returning organization_id, session_id, first_number, end_number,
        least(end_number, first_number + ${eventsPerNoteMax}) as until),
    rest as (
      insert into webhook_outbox (organization_id, session_id, first_number, end_number)
        select organization_id, session_id, until, end_number from noted where until < end_number),
    made as (
      insert into webhook_deliveries (id, organization_id, endpoint_id, event_id, type, session_id, sequence_number,
          agent_id, message_id, attempt_id, event_created_at, due_at)
        select new_id('whdl'), n.organization_id, w.id,
          'evt_' || split_part(n.session_id, '_', 2) || lpad(e.sequence_number::text, 10, '0'),
          e.type, n.session_id, e.sequence_number, s.agent_id, e.message_id, e.attempt_id, e.created_at,
          clock_timestamp()
        from noted n
          cross join lateral (select agent_id from sessions where id = n.session_id offset 0) s
          join webhook_endpoints w on w.organization_id = n.organization_id and w.status = 'enabled'
            and w.deleted_at is null and (w.agent_id is null or w.agent_id = s.agent_id)
          cross join lateral (
            select * from events x where x.session_id = n.session_id
              and x.sequence_number >= n.first_number and x.sequence_number < n.until offset 0) e
        where e.type = any (w.event_types) and e.created_at >= w.created_at
          and not exists (select 1 from messages m where m.id = e.message_id
            and (m.copied_from is not null or m.replay_of is not null))
        on conflict (endpoint_id, event_id) do nothing returning 1)
    select (select count(*)::int from noted) as notes, (select count(*)::int from made) as deliveries`.execute(
    db.kysely,
  );
  return result.rows[0] ?? { notes: 0, deliveries: 0 };
}

export interface ClaimedDelivery {
  readonly id: string;
  readonly organizationId: string;
  readonly endpointId: string;
  readonly url: string;
  readonly eventId: string;
  readonly type: string;
  readonly sessionId: string | null;
  readonly sequenceNumber: number | null;
  readonly agentId: string | null;
  readonly messageId: string | null;
  readonly attemptId: string | null;
  readonly eventCreatedAt: Date;
  /** Includes this one. */
  readonly attempts: number;
  /** Proves the claim. */
  readonly token: string;
}

export interface ClaimBounds {
  readonly limit: number;
  /** Maximum number of concurrent attempts per endpoint. After a failed attempt it is one. */
  readonly perEndpoint: number;
  readonly perOrganization: number;
  /** Endpoints and organizations that have their maximum of running attempts. */
  readonly busyEndpoints: readonly string[];
  readonly busyOrganizations: readonly string[];
  readonly leaseMs: number;
}

/** Ids of endpoints with something pending, then null: one descent of the index for each, however much is pending. */
const waitingEndpoints = sql`waiting (id) as (
  (select endpoint_id from webhook_deliveries where state = 'pending' order by endpoint_id limit 1)
  union all
  select (select d.endpoint_id from webhook_deliveries d
    where d.state = 'pending' and d.endpoint_id > w.id order by d.endpoint_id limit 1)
  from waiting w where w.id is not null)`;

/**
 * Claims due deliveries, the longest due first. A claim moves `due_at` by the lease, so an unsettled claim is made
 * again later, with the same event id. Endpoints with something pending are found by skipping through the partial index
 * webhook_deliveries_pending. Deliveries are chosen within all limits before any is locked, because a lock is a write,
 * and each due endpoint is read every time. Safe to run concurrently: skips locked rows and checks the due time again.
 * Of two calls that choose the same rows, one gets fewer, and more the next time.
 */
export async function claimDue(db: Database, bounds: ClaimBounds): Promise<ClaimedDelivery[]> {
  const { limit, perEndpoint, perOrganization, busyEndpoints, busyOrganizations, leaseMs } = bounds;
  const result = await sql<ClaimedDelivery>`
    with recursive ${waitingEndpoints},
    chosen as (
      select x.id from (
        select d.id, d.due_at, row_number() over (partition by p.organization_id order by d.due_at) as n
        from waiting w join webhook_endpoints p on p.id = w.id join organizations o on o.id = p.organization_id
          cross join lateral (
            select id, due_at from webhook_deliveries
            where endpoint_id = w.id and state = 'pending' and due_at <= clock_timestamp()
            order by due_at limit case when p.failures = 0 then ${perEndpoint}::int else 1 end) d
        where p.status = 'enabled' and p.deleted_at is null and o.deleted_at is null
          and p.id <> all (${busyEndpoints}::text[]) and o.id <> all (${busyOrganizations}::text[])) x
      where x.n <= ${perOrganization} order by x.due_at limit ${limit}),
    due as (
      select d.id from chosen cross join lateral (
        select id from webhook_deliveries
        where id = chosen.id and state = 'pending' and due_at <= clock_timestamp() for update skip locked) d)
    update webhook_deliveries d set claim_token = gen_random_uuid(), attempts = d.attempts + 1,
      due_at = clock_timestamp() + ${leaseMs} * interval '1 millisecond'
    where d.id = any (array(select id from due)) and d.state = 'pending' and d.due_at <= clock_timestamp()
    returning d.id, d.organization_id as "organizationId", d.endpoint_id as "endpointId",
      (select url from webhook_endpoints p where p.id = d.endpoint_id) as url, d.event_id as "eventId",
      d.type, d.session_id as "sessionId", d.sequence_number as "sequenceNumber", d.agent_id as "agentId",
      d.message_id as "messageId", d.attempt_id as "attemptId", d.event_created_at as "eventCreatedAt",
      d.attempts, d.claim_token as token`.execute(db.kysely);
  return result.rows;
}

/** The result of an attempt. */
export interface AttemptResult {
  readonly ok: boolean;
  readonly durationMs: number;
  readonly responseStatus: number | null;
  readonly responseExcerpt: string | null;
  readonly error: string | null;
}

export interface DeliveryOutcome {
  readonly delivery: Pick<ClaimedDelivery, "id" | "endpointId" | "token">;
  readonly result: AttemptResult;
  /** Milliseconds until the next attempt; undefined: there is none. */
  readonly retryMs: number | undefined;
  /** Whether the receiver says that it is gone permanently (HTTP 410). */
  readonly isGone: boolean;
  /** For how long, and how often, every attempt must have failed before the endpoint is disabled. */
  readonly disableAfter: { readonly ms: number; readonly failures: number };
}

export interface SettlementResult {
  /** False if the claim was no longer held, and nothing was changed. */
  readonly held: boolean;
  /** Why this settlement disabled the endpoint; null if it did not. */
  readonly disabled: "failing" | "gone" | null;
}

/** Records an attempt's result at the delivery and its endpoint, in one transaction, if the claim is still held. */
export async function settleIfHeld(db: Database, settlement: DeliveryOutcome): Promise<SettlementResult> {
  return withTransaction(db, async (tx) => {
    const { delivery, result, retryMs, isGone, disableAfter } = settlement;
    const state = result.ok ? "delivered" : retryMs === undefined ? "failed" : "pending";
    const updated = await sql`
      update webhook_deliveries set state = ${state}::text, claim_token = null, attempted_at = clock_timestamp(),
        due_at = case when ${state}::text = 'pending'
          then clock_timestamp() + ${retryMs ?? null}::float8 * interval '1 millisecond' end,
        ended_at = case when ${state}::text <> 'pending' then clock_timestamp() end,
        duration_ms = ${result.durationMs}, response_status = ${result.responseStatus},
        response_excerpt = ${result.responseExcerpt}, error = ${result.error}
      where id = ${delivery.id} and claim_token = ${delivery.token}`.execute(tx);
    if (updated.numAffectedRows !== 1n) return { held: false, disabled: null };
    if (result.ok) {
      await sql`update webhook_endpoints set failures = 0, failing_since = null
        where id = ${delivery.endpointId} and failures > 0`.execute(tx);
      return { held: true, disabled: null };
    }
    const endpoint = await sql<{ reason: "failing" | "gone" | null }>`
      with failed as (
        select id, case when ${isGone} then 'gone'
          when failures + 1 >= ${disableAfter.failures}
            and failing_since < clock_timestamp() - ${disableAfter.ms} * interval '1 millisecond'
          then 'failing' end as why
        from webhook_endpoints where id = ${delivery.endpointId} for no key update)
      update webhook_endpoints w set failures = w.failures + 1,
        failing_since = coalesce(w.failing_since, clock_timestamp()),
        status = case when f.why is null then w.status else 'disabled' end,
        disabled_reason = coalesce(w.disabled_reason, f.why),
        updated_at = case when f.why is null then w.updated_at else clock_timestamp() end
      from failed f where w.id = f.id and w.status = 'enabled' and w.deleted_at is null
      returning w.disabled_reason as reason`.execute(tx);
    return { held: true, disabled: endpoint.rows[0]?.reason ?? null };
  });
}

/** Undoes a claim: the delivery is due at once, and its attempt does not count. */
export async function releaseIfHeld(
  db: Database,
  delivery: Pick<ClaimedDelivery, "id" | "token">,
  dueInMs: number,
): Promise<void> {
  await sql`update webhook_deliveries set claim_token = null, attempts = attempts - 1,
    due_at = clock_timestamp() + ${dueInMs} * interval '1 millisecond'
    where id = ${delivery.id} and claim_token = ${delivery.token}`.execute(db.kysely);
}

export interface OverfullEndpoint {
  readonly id: string;
  readonly organizationId: string;
}

/**
 * Lists enabled endpoints with more than `max` pending deliveries. Reads at most `max` entries of
 * webhook_deliveries_pending per endpoint.
 */
export async function listOverfullEndpoints(db: Database, max: number): Promise<OverfullEndpoint[]> {
  const result = await sql<OverfullEndpoint>`
    with recursive ${waitingEndpoints}
    select p.id, p.organization_id as "organizationId" from waiting w join webhook_endpoints p on p.id = w.id
    where p.status = 'enabled' and p.deleted_at is null and ${hasMorePending(max)}`.execute(db.kysely);
  return result.rows;
}

/** Returns false if it is already disabled or deleted, or fewer wait by now. */
export async function disableIfOverfull(db: Database, endpointId: string, max: number): Promise<boolean> {
  const result = await sql`
    update webhook_endpoints p set status = 'disabled', disabled_reason = 'backlog', updated_at = clock_timestamp()
    where p.id = ${endpointId} and p.status = 'enabled' and p.deleted_at is null
      and ${hasMorePending(max)}`.execute(db.kysely);
  return result.numAffectedRows === 1n;
}

function hasMorePending(max: number): RawBuilder<boolean> {
  return sql`exists (select 1 from webhook_deliveries d where d.endpoint_id = p.id and d.state = 'pending'
    order by d.due_at offset ${max} limit 1)`;
}

/** Ends pending deliveries of disabled or deleted endpoints, except those being sent. */
export async function cancelDeliveriesOfDisabledEndpoints(db: Database, limit: number): Promise<number> {
  const result = await sql`
    update webhook_deliveries set state = 'cancelled', due_at = null, claim_token = null, ended_at = clock_timestamp(),
      error = coalesce(error, 'the endpoint was disabled before this was sent')
    where id in (
      select d.id from webhook_endpoints w join webhook_deliveries d on d.endpoint_id = w.id and d.state = 'pending'
      where (w.status = 'disabled' or w.deleted_at is not null)
        and (d.claim_token is null or d.due_at <= clock_timestamp())
      limit ${limit} for update of d skip locked)`.execute(db.kysely);
  return Number(result.numAffectedRows ?? 0);
}

/**
 * Removes deliveries that ended `keepMs` ago, and all of deleted endpoints (indexes …_ended, …_by_endpoint), up to
 * `limit` of each. Safe to run concurrently: each call skips locked rows.
 */
export async function purgeDeliveries(db: Database, keepMs: number, limit: number): Promise<number> {
  const result = await sql`
    with old as (
      select id from webhook_deliveries where ended_at < clock_timestamp() - ${keepMs} * interval '1 millisecond'
        order by ended_at limit ${limit} for update skip locked),
    orphaned as (
      select d.id from webhook_endpoints w join webhook_deliveries d on d.endpoint_id = w.id
        where w.deleted_at is not null limit ${limit} for update of d skip locked)
    delete from webhook_deliveries
      where id = any (array(select id from old union all select id from orphaned))`.execute(db.kysely);
  return Number(result.numAffectedRows ?? 0);
}

export interface WebhookBacklog {
  /** Deliveries that wait for an attempt or for its result. */
  readonly pending: number;
  /** How long the longest-due delivery has been due. */
  readonly overdueMs: number;
  /** Notes from which no deliveries have been created yet. */
  readonly notes: number;
}

/** Returns the backlog of enabled endpoints (partial index webhook_deliveries_pending). */
export async function getBacklog(db: Database): Promise<WebhookBacklog> {
  const result = await sql<WebhookBacklog>`
    select count(d.id)::float8 as pending, (select count(*)::float8 from webhook_outbox) as notes,
      greatest(0, coalesce(extract(epoch from clock_timestamp() - min(d.due_at))::float8 * 1000, 0)) as "overdueMs"
    from webhook_deliveries d join webhook_endpoints w on w.id = d.endpoint_id and w.status = 'enabled'
      and w.deleted_at is null
    where d.state = 'pending'`.execute(db.kysely);
  return result.rows[0] ?? { pending: 0, overdueMs: 0, notes: 0 };
}
