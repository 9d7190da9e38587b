// Which ready sessions go to workers next, and the repair of what no living worker will repair.

import type { DispatchedTurn } from "@dari/domain";
import { sql } from "kysely";
import type { Database } from "../database.ts";

/** Organizations with a ready session (loose scan of the partial index sessions_ready). */
export async function listReadyOrganizations(db: Database): Promise<string[]> {
  const result = await sql<{ id: string }>`select id from ready_organizations() as id`.execute(db.kysely);
  return result.rows.map((row) => row.id);
}

/** Moves each organization's longest-ready sessions to `dispatched`, past those that others move (SKIP LOCKED). */
export async function dispatchIfReady(
  db: Database,
  shares: readonly { organizationId: string; count: number }[],
  ttlMs: number,
): Promise<DispatchedTurn[]> {
  if (shares.length === 0) return [];
  const result = await sql<DispatchedTurn>`
    select session_id as "sessionId", organization_id as "organizationId", dispatch_number as "dispatchNumber",
      message_id as "messageId", attempts_left as "attemptsLeft"
    from dispatch_sessions(${shares.map((share) => share.organizationId)}::text[],
      ${shares.map((share) => share.count)}::int[], ${ttlMs})`.execute(db.kysely);
  return result.rows;
}

/** Gives sessions back to `ready` if they still stand at that dispatch. Returns how many. */
export async function undispatchIfDispatched(
  db: Database,
  turns: readonly { sessionId: string; dispatchNumber: number }[],
): Promise<number> {
  if (turns.length === 0) return 0;
  const result = await sql<{ count: number }>`
    select undispatch_sessions(${turns.map((turn) => turn.sessionId)}::text[],
      ${turns.map((turn) => turn.dispatchNumber)}::bigint[]) as count`.execute(db.kysely);
  return result.rows[0]?.count ?? 0;
}

/** Every session that stands at `dispatched`, at most `limit` (partial index sessions_in_flight). */
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
  /** Slots of workers that were seen lately and do not drain. */
  readonly slots: number;
  /** Sessions dispatched or leased. */
  readonly inFlight: number;
  readonly workers: number;
}

/** Counted from the partial index sessions_in_flight and the workers' own rows. */
export async function getFleetLoad(db: Database, workerSeenWithinMs: number): Promise<FleetLoad> {
  const result = await sql<FleetLoad>`
    select coalesce(sum(slots), 0)::int as slots, count(*)::int as workers,
      (select count(*)::int from sessions where schedule in ('dispatched', 'leased')) as "inFlight"
    from workers where not draining
      and seen_at > clock_timestamp() - ${workerSeenWithinMs} * interval '1 millisecond'`.execute(db.kysely);
  return result.rows[0] ?? { slots: 0, inFlight: 0, workers: 0 };
}

export interface ReapedSession {
  readonly sessionId: string;
  readonly organizationId: string;
  readonly was: "dispatched" | "leased" | "retry_wait";
  /** `broken`: the row contradicts itself; the invariants name it, and it is looked at again a minute later. */
  readonly recorded: "ready" | "lost" | "failed" | "cancelled" | "broken";
}

/** Ends expired leases, gives expired dispatches and overdue retries back to `ready`. At most `limit` of each. */
export async function reapExpired(
  db: Database,
  options: { limit: number; graceMs: number; overdueMs: number; uncountedClaimsMax: number },
): Promise<ReapedSession[]> {
  const result = await sql<ReapedSession>`
    select session_id as "sessionId", organization_id as "organizationId", was, recorded
    from reap_sessions(${options.limit}, ${options.graceMs}, ${options.overdueMs},
      ${options.uncountedClaimsMax})`.execute(db.kysely);
  return result.rows;
}

/**
 * Moves sessions on whose build has ended: their messages go on, or fail with `build_failed`. At most `sessions`
 * sessions and `messages` messages per call; an answer that is not empty means there may be more.
 */
export async function settleBuildWaiters(
  db: Database,
  bounds: { sessions: number; messages: number },
): Promise<{ sessionId: string; organizationId: string; result: "ready" | "failed" }[]> {
  const result = await sql<{ sessionId: string; organizationId: string; result: "ready" | "failed" }>`
    select session_id as "sessionId", organization_id as "organizationId", result
    from settle_build_waiters(${bounds.sessions}, ${bounds.messages})`.execute(db.kysely);
  return result.rows;
}
