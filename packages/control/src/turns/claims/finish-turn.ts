// Records how a turn ended. Waits if the database is unavailable for a while.

import { turns, retryThroughOutage, type Claim, type Database, type FinishInput, type FinishResult } from "@dari/db";
import type { Log, Notifier } from "@dari/domain";

export interface FinishContext {
  readonly db: Database;
  readonly notifier: Notifier;
  readonly log: Log;
}

/**
 * Returns the result, or undefined if the claim was superseded and nothing was written. Safe to repeat: after a commit
 * whose reply was lost, the same result is returned.
 */
export async function finishTurn(
  context: FinishContext,
  claim: Claim & { messageId: string },
  organizationId: string,
  input: FinishInput,
): Promise<FinishResult | undefined> {
  const result = await retryThroughOutage(context, () => turns.finishIfHeld(context.db, claim, input));
  context.notifier.notify("session", claim.sessionId);
  context.notifier.notify("message", claim.messageId);
  // A slot is free in either case.
  context.notifier.notify(result?.more === true ? "ready" : "slot", organizationId);
  return result;
}
