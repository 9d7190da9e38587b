// What the rows say of turn jobs: which should be there, which should not, which failed ones operators look for.

import type { DispatchedTurn } from "@dari/domain";
import { sql } from "kysely";
import type { Database } from "../database.ts";

export interface DueTurn extends DispatchedTurn {
  /** Until its retry is due; 0 for one that is dispatched. Milliseconds. */
  readonly waitMs: number;
}

/**
 * Turns that a job should stand for: dispatched for at least `waitedMs` and unclaimed, or waiting for their retry. At
 * most `limit` of each, retries after the session `after`, in the order of sessions (indexes sessions_in_flight and
 * sessions_retry_wait).
 */
export async function listTurnsDue(
  db: Database,
  bounds: { waitedMs: number; dispatchTtlMs: number; after: string; limit: number },
): Promise<DueTurn[]> {
  const { waitedMs, dispatchTtlMs, after, limit } = bounds;
  const result = await sql<DueTurn>`
    with due as (
      (select id, 0 as wait_ms from sessions where schedule = 'dispatched'
        and lease_until < clock_timestamp() + ${dispatchTtlMs - waitedMs} * interval '1 millisecond'
        order by lease_until limit ${limit})
      union all
      (select id, extract(epoch from ready_at - clock_timestamp()) * 1000 from sessions where schedule = 'retry_wait'
        and ready_at > clock_timestamp() and id > ${after} order by id limit ${limit}))
    select s.organization_id as "organizationId", s.id as "sessionId", m.id as "messageId",
      s.dispatch_number as "dispatchNumber", greatest(1, m.max_attempts - m.attempts) as "attemptsLeft",
      greatest(0, due.wait_ms)::int as "waitMs"
    from due join sessions s on s.id = due.id
      cross join lateral (select x.id, x.max_attempts, x.attempts from messages x
        where x.session_id = s.id and x.completed_at is null order by x.sequence_number limit 1) m`.execute(db.kysely);
  return result.rows;
}

/** Whether a turn has stood dispatched and unclaimed for `waitedMs` (index sessions_in_flight). */
export async function hasWaitingDispatch(
  db: Database,
  bounds: { waitedMs: number; dispatchTtlMs: number },
): Promise<boolean> {
  const result = await sql`select 1 from sessions where schedule = 'dispatched'
    and lease_until < clock_timestamp() + ${bounds.dispatchTtlMs - bounds.waitedMs} * interval '1 millisecond'
    and lease_until > clock_timestamp() limit 1`.execute(db.kysely);
  return result.rows.length > 0;
}

/** Those of the jobs that stand for a turn: the newest dispatch of a session that is still to be claimed or runs. */
export async function listJobsInUse(
  db: Database,
  jobs: readonly { sessionId: string; dispatchNumber: number }[],
): Promise<{ sessionId: string; dispatchNumber: number }[]> {
  if (jobs.length === 0) return [];
  const result = await sql<{ sessionId: string; dispatchNumber: number }>`
    select s.id as "sessionId", s.dispatch_number as "dispatchNumber"
    from unnest(${jobs.map((job) => job.sessionId)}::text[], ${jobs.map((job) => job.dispatchNumber)}::bigint[])
      as j (id, n) join sessions s on s.id = j.id
    where s.dispatch_number = j.n and s.schedule in ('dispatched', 'leased', 'retry_wait')`.execute(db.kysely);
  return result.rows;
}

/** Those of the messages that have failed: a job of theirs may be an operator's retry on its way. */
export async function listFailedAmong(db: Database, messageIds: readonly string[]): Promise<string[]> {
  if (messageIds.length === 0) return [];
  const rows = await db.kysely
    .selectFrom("messages")
    .where("id", "in", messageIds)
    .where("state", "=", "failed")
    .select("id")
    .execute();
  return rows.map((row) => row.id);
}

export interface FailedMessage {
  readonly organizationId: string;
  readonly sessionId: string;
  readonly messageId: string;
  /** The failure's code. */
  readonly reason: string;
  readonly attempts: number;
  readonly acceptedAt: Date;
  readonly failedAt: Date;
}

/**
 * The newest messages that failed and were not sent again, newest first, and until when they are all here: up to
 * `settlingMs` ago, because those that failed since may have a job that is only just ending. From `since`, an `until`
 * from before, or from `days` ago (index messages_failed_at).
 */
export async function listNewestFailed(
  db: Database,
  bounds: { since: number | undefined; days: number; settlingMs: number; limit: number },
): Promise<{ until: number; failed: FailedMessage[] }> {
  const { since = 0, days, settlingMs, limit } = bounds;
  const clock = await sql<{ until: number }>`
    select floor(extract(epoch from clock_timestamp()) * 1000 - ${settlingMs}::int)::float8 as until`.execute(
    db.kysely,
  );
  const until = clock.rows[0]?.until ?? 0;
  const result = await sql<FailedMessage>`
    select m.organization_id as "organizationId", m.session_id as "sessionId", m.id as "messageId",
      coalesce(m.output -> 'error' ->> 'code', 'unknown') as reason, greatest(1, m.attempts) as attempts,
      m.created_at as "acceptedAt", m.failed_at as "failedAt"
    from messages m
    where m.failed_at is not null and m.rolled_back_at is null and m.rolled_back_by is null
      and m.failed_at > clock_timestamp() - ${days} * interval '1 day'
      and m.failed_at > to_timestamp(${Math.min(since, until) - overlapMs}::float8 / 1000)
      and m.failed_at <= to_timestamp(${until}::float8 / 1000)
      and not exists (select 1 from messages r where r.retry_of = m.id)
    order by m.failed_at desc limit ${limit}`.execute(db.kysely);
  return { until, failed: result.rows };
}

/** Transactions that were open at the last look, milliseconds. */
const overlapMs = 5_000;

/**
 * Makes the session's retry due now, if it still waits for its time at that dispatch (primary key). Answers with the
 * message; undefined: nothing waits.
 */
export async function endWaitIfWaiting(
  db: Database,
  job: { organizationId: string; sessionId: string; dispatchNumber: number },
): Promise<string | undefined> {
  const result = await sql<{ messageId: string }>`
    update sessions s set ready_at = clock_timestamp()
    where s.id = ${job.sessionId} and s.organization_id = ${job.organizationId}
      and s.dispatch_number = ${job.dispatchNumber} and s.schedule = 'retry_wait' and s.ready_at > clock_timestamp()
    returning (select m.id from messages m where m.session_id = s.id and m.completed_at is null
      order by m.sequence_number limit 1) as "messageId"`.execute(db.kysely);
  return result.rows[0]?.messageId;
}
