// Which ready sessions go to workers next, and the repair of what dead workers left.

import type { DispatchedTurn } from "@dari/domain";
import { sql } from "kysely";
import type { Database } from "../../database.ts";

/** An organization's limits in the fleet. */
export interface OrganizationShare {
  readonly organizationId: string;
  /** Its share relative to other waiting organizations. */
  readonly weight: number;
  /** Maximum number of concurrent turns; null: the platform's default. */
  readonly maxConcurrency: number | null;
}

/**
 * Lists organizations with a ready session, by id after `after`, at most `limit` (loose scan of the partial index
 * sessions_ready: two or three buffers each).
 */
export async function listReadyOrganizations(
  db: Database,
  window: { after?: string; limit?: number } = {},
): Promise<OrganizationShare[]> {
  const result = await sql<OrganizationShare>`
    select o.id as "organizationId", o.weight, o.max_concurrency as "maxConcurrency"
    from ready_organizations(p_after => ${window.after ?? ""}, p_limit => ${window.limit ?? null}::int) as r (id)
    cross join lateral (select * from organizations where id = r.id offset 0) o order by o.id`.execute(db.kysely);
  return result.rows;
}

/**
 * Returns the first `limit` organizations with a ready session. `canBegin`: not all of their ready sessions wait for a
 * `max_concurrency` of an agent or a batch. Of organizations that have only sessions with such a limit, the first 20
 * are checked and the others count as `canBegin`, so that a call stays cheap.
 */
export async function listReadyBelowCap(
  db: Database,
  limit: number,
): Promise<(OrganizationShare & { readonly canBegin: boolean })[]> {
  const result = await sql<OrganizationShare & { canBegin: boolean }>`
    select o.id as "organizationId", o.weight, o.max_concurrency as "maxConcurrency", r.can_begin as "canBegin"
    from ready_with_room(p_limit => ${limit}::int) as r
    cross join lateral (select * from organizations where id = r.id offset 0) o order by o.id`.execute(db.kysely);
  return result.rows;
}

/** Returns those of these organizations that exist, and whether they have a ready session (index sessions_ready). */
export async function listShares(
  db: Database,
  organizationIds: readonly string[],
): Promise<(OrganizationShare & { readonly isReady: boolean })[]> {
  if (organizationIds.length === 0) return [];
  const result = await sql<OrganizationShare & { isReady: boolean }>`
    select o.id as "organizationId", o.weight, o.max_concurrency as "maxConcurrency",
      (select true from sessions s where s.organization_id = o.id and s.schedule = 'ready' limit 1) is not null
        as "isReady"
    from unnest(${organizationIds}::text[]) w (id)
    cross join lateral (select * from organizations where id = w.id offset 0) o`.execute(db.kysely);
  return result.rows;
}

/**
 * Returns whether a due retry may continue ahead of waiting sessions. Call it in the transaction that claims the retry:
 * no other one asks until that has ended.
 */
export async function canRetryBypassDispatcher(db: Database): Promise<boolean> {
  const result = await sql<{ may: boolean }>`select may_pass_dispatcher() as may`.execute(db.kysely);
  return result.rows[0]?.may ?? false;
}

/** Makes due retries `ready`, past locked ones (SKIP LOCKED). Returns how many. */
export async function makeDueRetriesReady(db: Database, limit: number): Promise<number> {
  const result = await sql`select from ready_due_retries(p_limit => ${limit}, p_overdue_ms => 0)`.execute(db.kysely);
  return result.rows.length;
}

/** Turns that one organization may start now. */
export interface SlotGrant {
  readonly organizationId: string;
  readonly count: number;
  /** How many of `count` the background lane gets before the interactive lane (default: 0). */
  readonly background?: number;
}

/**
 * Moves each organization's sessions to `dispatched`, past locked ones (SKIP LOCKED): interactive before background,
 * within a lane the longest-ready first, and none above the `max_concurrency` of its agent or batch.
 */
export async function dispatchIfReady(
  db: Database,
  shares: readonly SlotGrant[],
  ttlMs: number,
): Promise<(DispatchedTurn & { readonly isBackground: boolean })[]> {
  if (shares.length === 0) return [];
  const result = await sql<DispatchedTurn & { isBackground: boolean }>`
    select session_id as "sessionId", organization_id as "organizationId", dispatch_number as "dispatchNumber",
      message_id as "messageId", attempts_left as "attemptsLeft", is_background as "isBackground"
    from dispatch_sessions(p_organizations => ${shares.map((share) => share.organizationId)}::text[],
      p_counts => ${shares.map((share) => share.count)}::int[], p_ttl_ms => ${ttlMs},
      p_background => ${shares.map((share) => share.background ?? 0)}::int[])`.execute(db.kysely);
  return result.rows;
}

/** Makes sessions `ready` again if that dispatch is still their newest one. Returns how many. */
export async function undispatchIfDispatched(
  db: Database,
  turns: readonly { sessionId: string; dispatchNumber: number }[],
): Promise<number> {
  if (turns.length === 0) return 0;
  const result = await sql<{ count: number }>`
    select undispatch_sessions(p_sessions => ${turns.map((turn) => turn.sessionId)}::text[],
      p_dispatch_numbers => ${turns.map((turn) => turn.dispatchNumber)}::bigint[]) as count`.execute(db.kysely);
  return result.rows[0]?.count ?? 0;
}

/** Lists `dispatched` sessions, at most `limit` (partial index sessions_in_flight). */
export async function listDispatched(
  db: Database,
  limit: number,
): Promise<{ sessionId: string; dispatchNumber: number }[]> {
  return db.kysely
    .selectFrom("sessions")
    .where("schedule", "=", "dispatched")
    .select(["id as sessionId", "dispatch_number as dispatchNumber"])
    .limit(limit)
    .execute();
}

export interface FleetLoad {
  /** Slots of workers that were seen recently and are not draining. */
  readonly slots: number;
  readonly workers: number;
  /** How many turns the workers start at the same time, less the dispatched ones that no worker has claimed. */
  readonly starts: number;
  /** Maximum number of concurrent turns of one organization, because processors of workers are busy, or Infinity. */
  readonly organizationMax: number;
  /** Sessions dispatched or leased. */
  readonly inFlight: number;
  /** Whether the installation has more than one organization. */
  readonly isShared: boolean;
  /** Organizations with something in flight. `background`: how many of `inFlight` are of the background lane. */
  readonly holders: readonly (OrganizationShare & { readonly inFlight: number; readonly background: number })[];
}

/**
 * Reads the partial index sessions_in_flight and the workers' rows. If a worker is busy, an organization can still
 * have all slots of the workers that are not.
 */
export async function getFleetLoad(db: Database, workerSeenWithinMs: number): Promise<FleetLoad> {
  const result = await sql<FleetLoadRow>`
    select f.slots, f.workers, is_shared as "isShared", organization_id as "organizationId", in_flight as "inFlight",
      background, weight, max_concurrency as "maxConcurrency", w.organization_max as "organizationMax",
      w.starts - (select count(*)::int from sessions where schedule = 'dispatched') as starts
    from fleet_load(${workerSeenWithinMs}) f cross join (
      select coalesce(sum((details->>'startsMax')::int), 0)::int as starts,
        case when count(details->>'organizationMax') > 0
          then sum(coalesce((details->>'organizationMax')::int, slots))::int end as organization_max
      from workers where not draining and release >= lowest_release()
        and seen_at > statement_timestamp() - ${workerSeenWithinMs} * interval '1 millisecond') w`.execute(db.kysely);
  const { slots = 0, workers = 0, isShared = false, starts = 0, organizationMax = null } = result.rows[0] ?? {};
  const holders = result.rows.flatMap(({ organizationId, weight, maxConcurrency, inFlight, background }) =>
    organizationId === null ? [] : [{ organizationId, weight, maxConcurrency, inFlight, background }],
  );
  const inFlight = holders.reduce((sum, holder) => sum + holder.inFlight, 0);
  return { slots, workers, starts, organizationMax: organizationMax ?? Infinity, isShared, inFlight, holders };
}

interface FleetLoadRow {
  readonly slots: number;
  readonly workers: number;
  readonly starts: number;
  readonly organizationMax: number | null;
  readonly isShared: boolean;
  readonly organizationId: string | null;
  readonly inFlight: number;
  readonly background: number;
  readonly weight: number;
  readonly maxConcurrency: number | null;
}

export interface SlotUsage {
  readonly organizationId: string;
  readonly weight: number;
  readonly turns: number;
  /** The total time that they held a slot. */
  readonly seconds: number;
}

/**
 * Returns how long ended attempts held slots since `since`, the `until` of the last call (index events_attempt_ended);
 * without it, from now on. Reads at most `limit` attempts; the next call continues.
 */
export async function readSlotUsage(
  db: Database,
  since: string | undefined,
  bounds: { settlingMs: number; limit: number },
): Promise<{ until: string | undefined; ended: SlotUsage[] }> {
  const result = await sql<{ until: string; organizationId: string | null } & Omit<SlotUsage, "organizationId">>`
    select until, organization_id as "organizationId", weight, turns, seconds
    from ended_seconds(p_since => ${since ?? null}::timestamptz, p_settling_ms => ${bounds.settlingMs},
      p_limit => ${bounds.limit})`.execute(db.kysely);
  const ended = result.rows.flatMap(({ organizationId, weight, turns, seconds }) =>
    organizationId === null ? [] : [{ organizationId, weight, turns, seconds }],
  );
  return { until: result.rows[0]?.until, ended };
}

/**
 * Returns how many messages of the organization are open, counted up to its limit, and that limit; undefined if there
 * is no such organization (index messages_open_by_organization).
 */
export async function countOpenMessages(
  db: Database,
  organizationId: string,
  defaultMax: number,
): Promise<{ open: number; max: number } | undefined> {
  const result = await sql<{ open: number; max: number }>`
    select open_messages as open, max_backlog as max
    from open_messages(p_organization => ${organizationId}, p_default_max => ${defaultMax})`.execute(db.kysely);
  return result.rows[0];
}

export interface ReapedSession {
  readonly sessionId: string;
  readonly organizationId: string;
  readonly was: "dispatched" | "leased" | "retry_wait";
  /** `broken`: the row contradicts itself. The invariants report it, and it is tried again a minute later. */
  readonly recorded: "ready" | "lost" | "failed" | "cancelled" | "broken";
}

/** Ends expired leases, and makes expired dispatches and overdue retries `ready`. At most `limit` of each. */
export async function reapExpired(
  db: Database,
  options: { limit: number; graceMs: number; overdueMs: number; uncountedClaimsMax: number },
): Promise<ReapedSession[]> {
  const result = await sql<ReapedSession>`
    select session_id as "sessionId", organization_id as "organizationId", was, recorded
    from reap_sessions(p_limit => ${options.limit}, p_grace_ms => ${options.graceMs},
      p_overdue_ms => ${options.overdueMs}, p_uncounted_max => ${options.uncountedClaimsMax})`.execute(db.kysely);
  return result.rows;
}

/**
 * Moves sessions on whose build has ended: their messages continue, or fail with `build_failed`. At most `sessions`
 * sessions and `messages` messages per call. If the result is not empty, call it again.
 */
export async function settleBuildWaiters(
  db: Database,
  bounds: { sessions: number; messages: number },
): Promise<{ sessionId: string; organizationId: string; result: "ready" | "failed" }[]> {
  const result = await sql<{ sessionId: string; organizationId: string; result: "ready" | "failed" }>`
    select session_id as "sessionId", organization_id as "organizationId", result
    from settle_build_waiters(p_sessions => ${bounds.sessions}, p_messages => ${bounds.messages})`.execute(db.kysely);
  return result.rows;
}
