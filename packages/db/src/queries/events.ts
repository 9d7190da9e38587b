// Reads a session's ledger. Events are written by the statements that make them true.

import { limits } from "@dari/domain";
import { sql } from "kysely";
import type { Database } from "../database.ts";
import { countWithin } from "./page.ts";

export interface EventRow {
  readonly sequenceNumber: number;
  readonly type: string;
  readonly messageId: string | null;
  readonly attemptId: string | null;
  readonly data: unknown;
  readonly createdAt: Date;
}

/**
 * Events after a number, in order (primary key session_id, sequence_number): at most `limit`, and no more than have
 * `limits.pageBytes` together, the records that terminal events show included.
 */
export async function listEvents(
  db: Database,
  organizationId: string,
  sessionId: string,
  afterSequenceNumber: number,
  limit: number,
): Promise<{ rows: EventRow[]; more: boolean }> {
  const found = await sql<{ n: number; bytes: number }>`
    select e.sequence_number as n, octet_length(e.data::text) + coalesce((
      select octet_length(m.output::text) + octet_length(m.parts::text) from messages m
      where m.id = e.message_id and e.type in ('message.completed', 'message.failed', 'message.cancelled')), 0) as bytes
    from events e
    where e.session_id = ${sessionId} and e.organization_id = ${organizationId}
      and e.sequence_number > ${afterSequenceNumber}
    order by e.sequence_number limit ${limit + 1}`.execute(db.kysely);
  const shown = found.rows.slice(0, Math.min(limit, countWithin(found.rows, limits.pageBytes)));
  const last = shown.at(-1);
  if (last === undefined) return { rows: [], more: false };
  const rows = await db.kysely
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
    .orderBy("sequence_number")
    .execute();
  return { rows, more: found.rows.length > shown.length };
}
