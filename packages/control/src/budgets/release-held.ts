// Lets sessions go on that a budget or a stop held back, and that nothing holds any more.

import { budgets, type Database } from "@dari/db";
import type { Notifier } from "@dari/domain";

/** Sessions of one short transaction, and transactions of one pass; the clock starts another. */
const batch = 200;
const batchesMax = 50;

/**
 * Called when a budget was changed, and by the reconciler's clock, which sees new periods and what was held while its
 * budget was changed. `undefined`: of every organization.
 */
export async function releaseHeld(
  context: { readonly db: Database; readonly notifier: Notifier },
  organizationId?: string,
): Promise<number> {
  let count = 0;
  for (let pass = 0; pass < batchesMax; pass++) {
    const released = await budgets.releaseIfFree(context.db, organizationId, batch);
    for (const one of new Set(released.map((session) => session.organizationId))) context.notifier.notify("ready", one);
    count += released.length;
    if (released.length < batch) break;
  }
  return count;
}
