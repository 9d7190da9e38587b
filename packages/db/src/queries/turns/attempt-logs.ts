// Reads what attempts wrote to stdout and stderr. Workers append with `appendLogsIfHeld` in turns.ts.

import type { Database } from "../../database.ts";

export interface LoggedAttempt {
  readonly id: string;
  /** The number that clients see. An attempt that does not count shares it with the next one. */
  readonly number: number;
  /** Null if it has not ended. */
  readonly outcome: string | null;
}

/** Lists the attempts of a message in the order of their start (index attempts_by_message). */
export async function listAttempts(db: Database, organizationId: string, messageId: string): Promise<LoggedAttempt[]> {
  return db.kysely
    .selectFrom("attempts")
    .where("message_id", "=", messageId)
    .where("organization_id", "=", organizationId)
    .select(["id", "number", "outcome"])
    .orderBy("fence")
    .execute();
}

export interface AttemptLogRow {
  readonly sequenceNumber: number;
  readonly stream: string;
  readonly text: string;
  readonly createdAt: Date;
}

/** Lists an attempt's rows after a number, in order, at most `limit` (primary key attempt_id, sequence_number). */
export async function listAttemptLogs(
  db: Database,
  organizationId: string,
  attemptId: string,
  afterSequenceNumber: number,
  limit: number,
): Promise<AttemptLogRow[]> {
  return db.kysely
    .selectFrom("attempt_logs")
    .where("attempt_id", "=", attemptId)
    .where("organization_id", "=", organizationId)
    .where("sequence_number", ">", afterSequenceNumber)
    .select(["sequence_number as sequenceNumber", "stream", "text", "created_at as createdAt"])
    .orderBy("sequence_number")
    .limit(limit)
    .execute();
}
