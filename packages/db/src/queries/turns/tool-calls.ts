// Reads the tool calls of a message from its session's events.

import { sql } from "kysely";
import type { Database } from "../../database.ts";

export interface CallEventRow {
  readonly sequenceNumber: number;
  readonly type: "tool.call_requested" | "tool.call_completed";
  readonly attemptId: string | null;
  readonly data: Readonly<Record<string, unknown>>;
  readonly createdAt: Date;
}

export interface OfMessage {
  readonly organizationId: string;
  readonly sessionId: string;
  readonly messageId: string;
}

export interface PartEventRow {
  readonly sequenceNumber: number;
  readonly type: string;
  readonly data: unknown;
}

/** What becomes a part of the answer, and the ends of attempts. */
export const partEventTypes = [
  "tool.call_requested",
  "tool.call_completed",
  "assistant.message",
  "attempt.ended",
] as const;

/** What an agent does, for clients that also show its reasoning. */
export const activityEventTypes = [...partEventTypes, "reasoning.completed"] as const;

/**
 * Lists a message's events of these types after an event's number, in order (default: tool calls, texts before them,
 * and ends of attempts).
 */
export async function listPartEvents(
  db: Database,
  of: OfMessage,
  after: number,
  limit: number,
  types: readonly string[] = partEventTypes,
): Promise<PartEventRow[]> {
  return db.kysely
    .selectFrom("events")
    .where("session_id", "=", of.sessionId)
    .where("organization_id", "=", of.organizationId)
    .where("message_id", "=", of.messageId)
    .where("type", "in", types)
    .where("sequence_number", ">", after)
    .select(["sequence_number as sequenceNumber", "type", "data"])
    .orderBy("sequence_number")
    .limit(limit)
    .execute();
}

/**
 * Returns the newest request and the newest result of a call, of one attempt if `attempt` is its number. Reads the
 * session's events once (primary key session_id, sequence_number).
 */
export async function findNewestCall(
  db: Database,
  of: OfMessage & { readonly callId: string; readonly attempt?: number | undefined },
): Promise<CallEventRow[]> {
  const isOfAttempt =
    of.attempt === undefined
      ? sql`true`
      : sql`e.attempt_id in (select id from attempts where message_id = ${of.messageId} and number = ${of.attempt})`;
  const result = await sql<CallEventRow>`
    select distinct on (e.type) e.sequence_number as "sequenceNumber", e.type, e.attempt_id as "attemptId", e.data,
      e.created_at as "createdAt"
    from events e
    where e.session_id = ${of.sessionId} and e.organization_id = ${of.organizationId}
      and e.message_id = ${of.messageId} and e.type in ('tool.call_requested', 'tool.call_completed')
      and e.data ->> 'call_id' = ${of.callId} and ${isOfAttempt}
    order by e.type, e.sequence_number desc`.execute(db.kysely);
  return result.rows;
}
