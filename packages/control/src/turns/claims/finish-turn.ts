// Records how a turn ended. While the database is unavailable, waits and retries.

import { turns, retryThroughOutage, type Claim, type Database, type FinishInput, type FinishResult } from "@dari/db";
import type { Log, Notifier } from "@dari/domain";

export interface FinishContext {
  readonly db: Database;
  readonly notifier: Notifier;
  readonly log: Log;
}

/**
 * Records the end of the turn and returns the result. Returns undefined if the claim was superseded: nothing was
 * written. Safe to repeat: if a reply was lost after the commit, the next call returns the same result.
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
  // Also after a superseded claim, the worker has a free slot.
  context.notifier.notify(result?.more === true ? "ready" : "slot", organizationId);
  return result;
}
