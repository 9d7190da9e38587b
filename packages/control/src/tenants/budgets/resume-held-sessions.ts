// Lets sessions go on that a budget or a stop held back, and that nothing holds any more.

import { budgets, type Database } from "@dari/db";
import type { Notifier } from "@dari/domain";

/** Sessions of one short transaction, and transactions of one pass; the next one goes on after it. */
const batch = 200;
const batchesMax = 50;

interface Context {
  readonly db: Database;
  readonly notifier: Notifier;
}

/** A pass answers how many it let go on. */
export interface HeldSessionResumer {
  runOnce(): Promise<number>;
}

/**
 * For the clock, which sees new periods and what was held while its budget was changed. `undefined`: of every
 * organization.
 */
export function createHeldSessionResumer({ db, notifier }: Context, organizationId?: string): HeldSessionResumer {
  let after: budgets.HeldPlace | undefined;
  return {
    async runOnce() {
      let count = 0;
      for (let pass = 0; pass < batchesMax; pass++) {
        const { released, next } = await budgets.resumeIfWithinBudget(db, organizationId, after, batch);
        for (const one of new Set(released.map((session) => session.organizationId))) notifier.notify("ready", one);
        count += released.length;
        after = next;
        if (next === undefined) break;
      }
      return count;
    },
  };
}

/** Called when a budget was changed: one pass from the first on. */
export function resumeHeldSessions(context: Context, organizationId?: string): Promise<number> {
  return createHeldSessionResumer(context, organizationId).runOnce();
}
