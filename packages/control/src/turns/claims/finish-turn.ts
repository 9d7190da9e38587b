// Records how a turn ended, through a database that may be away for a while.

import { turns, retryThroughOutage, type Claim, type Database, type FinishInput, type FinishResult } from "@dari/db";
import type { Log, Notifier } from "@dari/domain";

export interface FinishContext {
  readonly db: Database;
  readonly notifier: Notifier;
  readonly log: Log;
}

/**
 * The result, or undefined when the claim was superseded and nothing was written. Repeating the call is safe: a reply
 * that was lost after its commit is answered again.
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
  // A slot is free in any case.
  context.notifier.notify(result?.more === true ? "ready" : "slot", organizationId);
  return result;
}
