// Releases sessions that a budget or a stop held back, once nothing holds them back.

import { budgets, type Database } from "@dari/db";
import type { Notifier } from "@dari/domain";

/** Sessions per transaction, and transactions per pass. The next pass continues. */
const batch = 200;
const batchesMax = 50;

interface Context {
  readonly db: Database;
  readonly notifier: Notifier;
}

/** A pass returns how many sessions it released. */
export interface HeldSessionResumer {
  runOnce(): Promise<number>;
}

/**
 * Returns a task for a periodic loop: it detects new periods, and sessions that were held while their budget changed.
 * `undefined`: all organizations.
 */
export function createHeldSessionResumer({ db, notifier }: Context, organizationId?: string): HeldSessionResumer {
  let after: budgets.HeldSessionKey | undefined;
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

/** Runs one pass after a budget has changed, from the beginning. */
export function resumeHeldSessions(context: Context, organizationId?: string): Promise<number> {
  return createHeldSessionResumer(context, organizationId).runOnce();
}
