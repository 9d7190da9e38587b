// Reads a session's events. The statements that make them true write them.

import { limits } from "@dari/domain";
import { sql } from "kysely";
import type { Database } from "../../database.ts";
import { countRowsWithin } from "../context/page.ts";

export interface EventRow {
  readonly sequenceNumber: number;
  readonly type: string;
  readonly messageId: string | null;
  readonly attemptId: string | null;
  readonly data: unknown;
  readonly createdAt: Date;
}

export interface EventsAfter {
  readonly organizationId: string;
  readonly sessionId: string;
  readonly afterSequenceNumber: number;
  readonly limit: number;
  /** Default: all types. */
  readonly types?: readonly string[];
  /** Default: `limits.pageBytes`. */
  readonly maxBytes?: number;
}

/** The size of an event `e` for clients, with the record that a terminal event contains. */
const shownBytes = sql<number>`octet_length(e.data::text) + coalesce((
  select coalesce(octet_length(m.output::text), 0) + octet_length(m.parts::text) + octet_length(m.metadata::text)
    + octet_length(m.files_changed::text) from messages m
  where m.id = e.message_id and e.type in ('message.completed', 'message.failed', 'message.cancelled')), 0)`;

/**
 * Lists events after a number, in order (primary key session_id, sequence_number): at most `limit`, with at most
 * `maxBytes` in total, including the records in terminal events.
 */
export async function listEvents(db: Database, of: EventsAfter): Promise<{ rows: EventRow[]; more: boolean }> {
  const { organizationId, sessionId, afterSequenceNumber, limit, types, maxBytes = limits.pageBytes } = of;
  const found = await sql<{ n: number; bytes: number }>`
    select e.sequence_number as n, ${shownBytes} as bytes
    from events e
    where e.session_id = ${sessionId} and e.organization_id = ${organizationId}
      and e.sequence_number > ${afterSequenceNumber}
       and (${types ?? null}::text[] is null or e.type = any(${types ?? null}))
    order by e.sequence_number limit ${limit + 1}`.execute(db.kysely);
  const shown = found.rows.slice(0, Math.min(limit, countRowsWithin(found.rows, maxBytes)));
  const last = shown.at(-1);
  if (last === undefined) return { rows: [], more: false };
  let query = db.kysely
    .selectFrom("events")
    .where("session_id", "=", sessionId)
    .where("organization_id", "=", organizationId)
    .where("sequence_number", ">", afterSequenceNumber)
    .where("sequence_number", "<=", last.n)
    .select([
      "sequence_number as sequenceNumber",
      "type",
      "message_id as messageId",
      "attempt_id as attemptId",
      "data",
      "created_at as createdAt",
    ])
    .orderBy("sequence_number");
  if (types !== undefined) query = query.where("type", "in", types);
  return { rows: await query.execute(), more: found.rows.length > shown.length };
}

export interface SessionPosition {
  readonly sessionId: string;
  readonly afterSequenceNumber: number;
}

/**
 * Lists events of several sessions in one statement, in the order of `positions`. Leaves out a first event that alone
 * exceeds `maxBytes`.
 */
export async function listEventsOfSessions(
  db: Database,
  organizationId: string,
  positions: readonly SessionPosition[],
  { limit, maxBytes }: { readonly limit: number; readonly maxBytes: number },
): Promise<{ rows: EventRow[]; more: boolean }[]> {
  // The planner looks at the lengths of arrays, and would plan each call again. JSON avoids that.
  const asked = JSON.stringify(positions.map((one) => ({ session_id: one.sessionId, after: one.afterSequenceNumber })));
  const found = await sql<EventRow & { position: number; fits: boolean }>`
    select p.position, e.sequence_number as "sequenceNumber", e.type, e.message_id as "messageId",
      e.attempt_id as "attemptId", case when e.fits then e.data end as data, e.created_at as "createdAt", e.fits
    from rows from (json_to_recordset(${asked}::json) as (session_id text, after bigint))
        with ordinality as p (session_id, after, position)
      cross join lateral (
        select *, sum(bytes) over (order by sequence_number) <= ${maxBytes}::int
          and row_number() over (order by sequence_number) <= ${limit}::int as fits
        from (
          select e.*, ${shownBytes} as bytes from events e
          where e.session_id = p.session_id and e.organization_id = ${organizationId} and e.sequence_number > p.after
          order by e.sequence_number limit ${sql.lit(limit + 1)}) measured) e
    order by p.position, e.sequence_number`.execute(db.kysely);
  const pages = positions.map(() => ({ rows: [] as EventRow[], more: false }));
  for (const { position, fits, ...row } of found.rows) {
    const page = pages[position - 1]!;
    if (fits) page.rows.push(row);
    else page.more = true;
  }
  return pages;
}

/** Returns the number of each session's newest event, without sessions that do not exist. */
export async function listLastNumbers(
  db: Database,
  sessionIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await db.kysely
    .selectFrom("sessions")
    .where("id", "in", sessionIds)
    .where("deleted_at", "is", null)
    .select(["id", "next_event_number as next"])
    .execute();
  return new Map(rows.map((row) => [row.id, row.next - 1]));
}

/**
 * Returns the number of the event that accepted a message, or undefined. Reads the events backwards, so the cost
 * depends on what happened since.
 */
export async function findAcceptance(
  db: Database,
  organizationId: string,
  sessionId: string,
  messageId: string,
): Promise<number | undefined> {
  return findNewest(db, { organizationId, sessionId, messageId, types: ["user.message"] });
}

/** Returns the number of a message's last event, like `findAcceptance`. */
export async function findEnd(
  db: Database,
  organizationId: string,
  sessionId: string,
  messageId: string,
): Promise<number | undefined> {
  const types = ["message.completed", "message.failed", "message.cancelled"];
  return findNewest(db, { organizationId, sessionId, messageId, types });
}

async function findNewest(
  db: Database,
  of: { organizationId: string; sessionId: string; messageId: string; types: readonly string[] },
): Promise<number | undefined> {
  const row = await db.kysely
    .selectFrom("events")
    .where("session_id", "=", of.sessionId)
    .where("organization_id", "=", of.organizationId)
    .where("message_id", "=", of.messageId)
    .where("type", "in", of.types)
    .select("sequence_number as sequenceNumber")
    .orderBy("sequence_number", "desc")
    .limit(1)
    .executeTakeFirst();
  return row?.sequenceNumber;
}
