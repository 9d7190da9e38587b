// Cancels a message: one SQL function.

import { sql } from "kysely";
import { callOne } from "../../call-one.ts";
import type { Database } from "../../database.ts";

export interface CancelResult {
  /** `delivered`: the running turn of `deliveredIn` has taken it. */
  readonly outcome: "cancelled" | "requested" | "terminal" | "not_found" | "delivered";
  readonly sessionId: string | null;
  readonly deliveredIn: string | null;
}

/** Cancels a queued message at once, and asks a running one to end. */
export function cancelMessageOf(db: Database, organizationId: string, messageId: string): Promise<CancelResult> {
  return callOne<CancelResult>(
    db.kysely,
    sql`select outcome, session_id as "sessionId", delivered_in as "deliveredIn"
      from cancel_message(p_organization => ${organizationId}, p_message => ${messageId})`,
  );
}
