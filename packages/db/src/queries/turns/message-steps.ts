// Results of steps, which the later attempts of their message get. See also `turnDetails`.

import { sql } from "kysely";
import { callOne } from "../../call-one.ts";
import type { Database } from "../../database.ts";
import { toJsonb } from "../../jsonb.ts";
import type { RecordedStep } from "./turn-details.ts";
import type { Claim } from "./claim-turn.ts";

/**
 * Records a step of the running attempt's message, and what the attempt has used so far. Safe to repeat. Returns false
 * once superseded.
 */
export async function recordStepIfHeld(
  db: Database,
  claim: Claim,
  step: RecordedStep,
  usage?: Readonly<Record<string, number>>,
): Promise<boolean> {
  const row = await callOne<{ held: boolean }>(
    db.kysely,
    sql`select record_step(p_session => ${claim.sessionId}, p_fence => ${claim.fence}, p_token => ${claim.token},
      p_name => ${step.name}, p_ordinal => ${step.ordinal}, p_result => ${step.json},
      p_usage => ${toJsonb(usage)}) as held`,
  );
  return row.held;
}
