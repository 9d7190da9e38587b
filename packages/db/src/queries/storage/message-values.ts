// Values that are too large for the events of their message, or binary: rows that name objects.

import { sql } from "kysely";
import type { Database } from "../../database.ts";
import type { OfMessage } from "../turns/tool-calls.ts";
import type { Claim } from "../turns/claim-turn.ts";

export interface ValueRow {
  readonly id: string;
  readonly objectKey: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/**
 * Records a value of the running attempt's message. Returns whether a row names the object: false once the claim is
 * superseded, or if the session has a value with this id. Safe to repeat. Fails if the storage quota is reached.
 */
export async function recordValueIfHeld(db: Database, claim: Claim, value: ValueRow): Promise<boolean> {
  const { id, objectKey, mediaType, sizeBytes, sha256 } = value;
  const given = { id, object_key: objectKey, media_type: mediaType, size_bytes: sizeBytes, sha256 };
  const result = await sql<{ named: boolean }>`
    select record_value(p_session => ${claim.sessionId}, p_fence => ${claim.fence}, p_token => ${claim.token},
      p_value => ${JSON.stringify(given)}::jsonb) as named`.execute(db.kysely);
  return result.rows[0]?.named === true;
}

/** Finds values of a message by primary key. */
export async function listValuesByIds(
  db: Database,
  of: OfMessage & { readonly ids: readonly string[] },
): Promise<ValueRow[]> {
  if (of.ids.length === 0) return [];
  return db.kysely
    .selectFrom("message_values")
    .where("session_id", "=", of.sessionId)
    .where("id", "in", of.ids)
    .where("message_id", "=", of.messageId)
    .where("organization_id", "=", of.organizationId)
    .select(["id", "object_key as objectKey", "media_type as mediaType", "size_bytes as sizeBytes", "sha256"])
    .execute();
}
