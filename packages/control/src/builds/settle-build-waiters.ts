// Lets sessions go on whose version has been built, and fails those whose version could not be.

import { dispatch, type Database } from "@dari/db";
import type { Notifier } from "@dari/domain";

const batch = 500;

/** Called after a build ends and by the reconciler's clock, which repairs what a crash between the two left. */
export async function settleBuildWaiters(context: { db: Database; notifier: Notifier }): Promise<number> {
  const settled = await dispatch.settleBuildWaiters(context.db, batch);
  for (const one of settled) {
    context.notifier.notify("session", one.sessionId);
    context.notifier.notify("ready", one.organizationId);
  }
  return settled.length;
}
