// Recorded answers, which the attempt after a lost worker gets instead of asking the model. See also `turnDetails`.

import { sql } from "kysely";
import { callOne } from "../../call-one.ts";
import type { Database } from "../../database.ts";
import { toJsonb } from "../../jsonb.ts";
import type { RecordedAnswerRow } from "../turns/turn-details.ts";
import type { Claim } from "../turns/claim-turn.ts";

/** `full`: the message has the maximum number or bytes of recorded answers. `refused`: the claim is superseded. */
export type RecordedOutcome = "stored" | "full" | "refused";

export interface RecordedAnswerBounds {
  /** Maximum number of answers of a message. */
  readonly rows: number;
  /** Maximum bytes of the answers of a message. */
  readonly bytes: number;
}

/** Records an answer whose object is stored. Safe to repeat. */
export async function recordAnswerIfHeld(
  db: Database,
  claim: Claim,
  answer: RecordedAnswerRow,
  max: RecordedAnswerBounds,
): Promise<RecordedOutcome> {
  const row = await callOne<{ outcome: RecordedOutcome }>(
    db.kysely,
    sql`select record_answer(p_session => ${claim.sessionId}, p_fence => ${claim.fence},
      p_token => ${claim.token}, p_answer => ${toJsonb(answer)}, p_rows_max => ${max.rows},
      p_bytes_max => ${max.bytes}) as outcome`,
  );
  return row.outcome;
}
