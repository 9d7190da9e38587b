// Records how a turn ended, through a database that may be away for a while.

import { isDatabaseAway, turns, type Claim, type Database, type FinishInput, type FinishResult } from "@dari/db";
import type { Log, Notifier } from "@dari/domain";
import { setTimeout as sleep } from "node:timers/promises";

export interface FinishContext {
  readonly db: Database;
  readonly notifier: Notifier;
  readonly log: Log;
}

const retryEveryMs = 250;
/** Past this the lease is gone whatever happens, and the reaper or another worker has the turn. Milliseconds. */
const giveUpAfterMs = 120_000;

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
  const result = await withPatience(context, () => turns.finishIfHeld(context.db, claim, input));
  context.notifier.notify("session", claim.sessionId);
  context.notifier.notify("message", claim.messageId);
  // A slot is free, and the session may have more.
  context.notifier.notify("ready", organizationId);
  return result;
}

async function withPatience<T>(context: FinishContext, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isDatabaseAway(error) || performance.now() - startedAt > giveUpAfterMs) throw error;
      context.log.warn({ err: error }, "database.away");
      await sleep(retryEveryMs);
    }
  }
}
