// Answers of models, which the attempt after a lost worker gets again. See also `turnDetails`.

import { sql } from "kysely";
import { callOne } from "../../call-one.ts";
import type { Database } from "../../database.ts";
import { toJsonb } from "../../jsonb.ts";
import type { ModelAnswerRow } from "../turns/turn-details.ts";
import type { Claim } from "../turns/turns.ts";

/** `full`: the message has as many answers as it may have. `refused`: the claim is superseded. */
export type RecordedOutcome = "stored" | "full" | "refused";

export interface ModelAnswerBounds {
  /** Maximum number of answers of a message. */
  readonly rows: number;
  /** Maximum bytes of the answers of a message. */
  readonly bytes: number;
}

/** Records an answer whose object is stored. Safe to repeat. */
export async function recordModelAnswerIfHeld(
  db: Database,
  claim: Claim,
  answer: ModelAnswerRow,
  max: ModelAnswerBounds,
): Promise<RecordedOutcome> {
  const row = await callOne<{ outcome: RecordedOutcome }>(
    db.kysely,
    sql`select record_model_answer(p_session => ${claim.sessionId}, p_fence => ${claim.fence},
      p_token => ${claim.token}, p_answer => ${toJsonb(answer)}, p_rows_max => ${max.rows},
      p_bytes_max => ${max.bytes}) as outcome`,
  );
  return row.outcome;
}
