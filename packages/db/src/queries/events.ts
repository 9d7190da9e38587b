// Reads a session's ledger. Events are written by the statements that make them true.

import type { Database } from "../database.ts";

export interface EventRow {
  readonly sequenceNumber: number;
  readonly type: string;
  readonly messageId: string | null;
  readonly attemptId: string | null;
  readonly data: unknown;
  readonly createdAt: Date;
}

/** Events after a number, in order, at most `limit` (primary key session_id, sequence_number). */
export async function listEvents(
  db: Database,
  organizationId: string,
  sessionId: string,
  afterSequenceNumber: number,
  limit: number,
): Promise<EventRow[]> {
  return db.kysely
    .selectFrom("events")
    .where("session_id", "=", sessionId)
    .where("organization_id", "=", organizationId)
    .where("sequence_number", ">", afterSequenceNumber)
    .select([
      "sequence_number as sequenceNumber",
      "type",
      "message_id as messageId",
      "attempt_id as attemptId",
      "data",
      "created_at as createdAt",
    ])
    .orderBy("sequence_number")
    .limit(limit)
    .execute();
}
