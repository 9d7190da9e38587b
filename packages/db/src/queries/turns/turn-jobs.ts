// Turn jobs according to the rows: which should exist, which should not, and which failed ones operators look for.

import type { DispatchedTurn } from "@dari/domain";
import { sql, type RawBuilder } from "kysely";
import type { Database } from "../../database.ts";

export interface DueTurn extends DispatchedTurn {
  /** Milliseconds until its retry is due; 0 for a dispatched turn. */
  readonly waitMs: number;
}

/** Where a page ends, in the order of its index. */
export interface DueCursor {
  /** PostgreSQL's text of the time, with microseconds. */
  readonly at: string;
  readonly sessionId: string;
}

export interface DuePage {
  readonly turns: readonly DueTurn[];
  /** Where the next page begins; undefined after the last one. */
  readonly next: DueCursor | undefined;
}

interface DueBounds {
  /** Default: the beginning. */
  readonly after: DueCursor | undefined;
  readonly limit: number;
}

/**
 * Lists turns that were dispatched at least `waitedMs` ago and are unclaimed, page by page (index sessions_in_flight).
 */
export async function listUnclaimedDispatches(
  db: Database,
  bounds: DueBounds & { readonly waitedMs: number; readonly dispatchTtlMs: number },
): Promise<DuePage> {
  const { waitedMs, dispatchTtlMs, after, limit } = bounds;
  return duePage(
    db,
    limit,
    sql`select id, lease_until as at, 0 as wait_ms from sessions where schedule = 'dispatched'
      and lease_until < clock_timestamp() + ${dispatchTtlMs - waitedMs} * interval '1 millisecond'
      and ${isAfter(sql`lease_until`, after)} order by lease_until, id limit ${limit}`,
  );
}

/** Lists turns that wait for their retry, page by page (index sessions_retry_wait). */
export async function listRetriesWaiting(db: Database, { after, limit }: DueBounds): Promise<DuePage> {
  return duePage(
    db,
    limit,
    sql`select id, ready_at as at, extract(epoch from ready_at - clock_timestamp()) * 1000 as wait_ms from sessions
      where schedule = 'retry_wait' and ready_at > clock_timestamp() and ${isAfter(sql`ready_at`, after)}
      order by ready_at, id limit ${limit}`,
  );
}

function isAfter(column: RawBuilder<unknown>, place: DueCursor | undefined): RawBuilder<unknown> {
  if (place === undefined) return sql`true`;
  return sql`(${column}, id) > (${place.at}::timestamptz, ${place.sessionId})`;
}

async function duePage(db: Database, limit: number, due: RawBuilder<unknown>): Promise<DuePage> {
  const { rows } = await sql<Omit<DueTurn, "messageId"> & { messageId: string | null; at: string }>`
    with due as materialized (${due})
    select s.organization_id as "organizationId", s.id as "sessionId", m.id as "messageId",
      s.dispatch_number as "dispatchNumber", greatest(1, m.max_attempts - m.attempts) as "attemptsLeft",
      greatest(0, due.wait_ms)::int as "waitMs", due.at::text as at
    from due join sessions s on s.id = due.id
      left join lateral (select x.id, x.max_attempts, x.attempts from messages x
        where x.session_id = s.id and x.completed_at is null order by x.sequence_number limit 1) m on true
    order by due.at, due.id`.execute(db.kysely);
  const last = rows.length < limit ? undefined : rows.at(-1);
  return {
    // A session without its message is reported by the invariants, and does not end the page.
    turns: rows.flatMap(({ at: _at, messageId, ...turn }) => (messageId === null ? [] : [{ ...turn, messageId }])),
    next: last === undefined ? undefined : { at: last.at, sessionId: last.sessionId },
  };
}

/** Returns those of the jobs that belong to a turn: the newest dispatch of a session that is unclaimed or running. */
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

/** Returns those of the messages that have failed: their jobs can be an operator's retries. */
export async function filterFailedMessages(db: Database, messageIds: readonly string[]): Promise<string[]> {
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
 * Returns the time up to which all failed messages are visible: `settlingMs` ago, because later ones may have a job
 * that is just ending. By the database's clock, in milliseconds.
 */
export async function getFailedListEnd(db: Database, settlingMs: number): Promise<number> {
  const { rows } = await sql<{ until: number }>`
    select floor(extract(epoch from clock_timestamp()) * 1000 - ${settlingMs}::int)::float8 as until`.execute(
    db.kysely,
  );
  return rows[0]?.until ?? 0;
}

export interface FailedWindow {
  /** An earlier `until` (default: `days` ago). */
  readonly since: number | undefined;
  readonly until: number;
  readonly days: number;
}

export interface FailedCursor {
  /** PostgreSQL's text of the time, with microseconds. */
  readonly at: string;
  readonly messageId: string;
}

/**
 * Lists messages that failed in the window and were not sent again, newest first, page by page. `next`: where the next
 * page begins; undefined after the last one.
 */
export async function listFailedMessagesWithin(
  db: Database,
  window: FailedWindow,
  page: { readonly before: FailedCursor | undefined; readonly limit: number },
): Promise<{ failed: FailedMessage[]; next: FailedCursor | undefined }> {
  const { since = 0, until, days } = window;
  const { before, limit } = page;
  const isBefore =
    before === undefined
      ? sql`m.failed_at <= to_timestamp(${until}::float8 / 1000)`
      : sql`(m.failed_at, m.id) < (${before.at}::timestamptz, ${before.messageId})`;
  const { rows } = await sql<FailedMessage & { at: string }>`
    select m.organization_id as "organizationId", m.session_id as "sessionId", m.id as "messageId",
      coalesce(m.output -> 'error' ->> 'code', 'unknown') as reason, greatest(1, m.attempts) as attempts,
      m.created_at as "acceptedAt", m.failed_at as "failedAt", m.failed_at::text as at
    from messages m
    where m.failed_at is not null and m.copied_from is null and m.steered_into is null
      and m.rolled_back_at is null and m.rolled_back_by is null
      and m.failed_at > clock_timestamp() - ${days} * interval '1 day'
      and m.failed_at > to_timestamp(${Math.min(since, until) - overlapMs}::float8 / 1000)
      and ${isBefore}
      and not exists (select 1 from messages r
        where r.retry_of = m.id and r.organization_id = m.organization_id)
    order by m.failed_at desc, m.id desc limit ${limit}`.execute(db.kysely);
  const last = rows.length < limit ? undefined : rows.at(-1);
  return {
    failed: rows.map(({ at: _at, ...message }) => message),
    next: last === undefined ? undefined : { at: last.at, messageId: last.messageId },
  };
}

/** Allows for transactions that were open at the last call, in milliseconds. */
const overlapMs = 5_000;

/**
 * Makes the session's retry due now, if it still waits with that dispatch (primary key). Returns the message; undefined
 * if nothing waits.
 */
export async function makeRetryDueIfWaiting(
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
