// Hands messages that steer to the attempt that runs.

import { limits } from "@dari/domain";
import { sql } from "kysely";
import { callOne } from "../../call-one.ts";
import type { Database } from "../../database.ts";
import type { TakenMessage } from "./turn-details.ts";
import type { Claim } from "./claim-turn.ts";

/**
 * Hands the messages that steer to the running attempt. Returns those after the first `received`, in order, so that a
 * repeated call loses nothing. Returns undefined once superseded.
 */
export async function takeSteeringIfHeld(
  db: Database,
  claim: Claim,
  received: number,
): Promise<TakenMessage[] | undefined> {
  const row = await callOne<{ taken: TakenMessage[] | null }>(
    db.kysely,
    sql`select take_steering(p_session => ${claim.sessionId}, p_fence => ${claim.fence}, p_token => ${claim.token},
      p_received => ${received}, p_messages_max => ${limits.steeringMessagesPerTurn},
      p_bytes_max => ${limits.steeringBytesPerTurn}) as taken`,
  );
  return row.taken ?? undefined;
}

/** Lists the parts of each message that steered the turn of a message, in order (index messages_steered). */
export async function listTakenParts(db: Database, messageId: string): Promise<TakenMessage["parts"][]> {
  const result = await sql<Pick<TakenMessage, "parts">>`
    select t.parts from messages m
      join messages t on t.session_id = m.session_id and t.steered_into = m.id and t.steered_event is not null
    where m.id = ${messageId} order by t.sequence_number`.execute(db.kysely);
  return result.rows.map(({ parts }) => parts);
}
