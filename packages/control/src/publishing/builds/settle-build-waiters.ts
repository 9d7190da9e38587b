// Releases sessions whose version has been built, and fails those whose version could not be built.

import { builds, dispatch, type Database } from "@dari/db";
import { limits, type Notifier } from "@dari/domain";

/** Each call is one short transaction, so that it locks rows only briefly. */
const bounds = { sessions: 20, messages: 200 };
/** Calls per pass. The next pass continues. */
const callsMax = 50;

/**
 * Runs after a build. The reconciler also runs it periodically: it continues what one pass leaves, and repairs what a
 * crash after a build leaves. `hasBuilds`: whether a build can have been lost (default: always).
 */
export async function settleBuildWaiters(
  context: { db: Database; notifier: Notifier },
  hasBuilds: () => Promise<boolean> = () => Promise.resolve(true),
): Promise<number> {
  if (await hasBuilds()) await builds.failLostBuilds(context.db, limits.buildLossesMax);
  let count = 0;
  for (let call = 0; call < callsMax; call++) {
    const settled = await dispatch.settleBuildWaiters(context.db, bounds);
    for (const one of settled) {
      context.notifier.notify("session", one.sessionId);
      context.notifier.notify("ready", one.organizationId);
    }
    count += settled.length;
    if (settled.length === 0) break;
  }
  return count;
}
