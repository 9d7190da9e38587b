// Repairs what no living worker will: called by the reconciler's clock, takes no input, bounded.

import { dispatch, type Database, type ReapedSession } from "@dari/db";
import { limits, type Log, type Notifier } from "@dari/domain";

export interface ReapSettings {
  /** Milliseconds after the database's start in which nothing is reaped: one lease. */
  readonly graceMs: number;
}

const batch = 200;
/** Milliseconds past its due time after which a retry is dispatched anew: its delivery is lost. */
const overdueMs = 1_000;

/** Ends expired claims, and gives back dispatches and retries that nobody came for. */
export async function reapSessions(
  context: { db: Database; notifier: Notifier; log: Log },
  settings: ReapSettings,
): Promise<ReapedSession[]> {
  const reaped = await dispatch.reapExpired(context.db, {
    limit: batch,
    graceMs: settings.graceMs,
    overdueMs,
    uncountedClaimsMax: limits.uncountedClaimsMax,
  });
  for (const one of reaped) {
    context.log.info(
      { session: one.sessionId, org: one.organizationId, was: one.was, recorded: one.recorded },
      "session.reaped",
    );
    context.notifier.notify("session", one.sessionId);
  }
  for (const organizationId of new Set(reaped.map((one) => one.organizationId))) {
    context.notifier.notify("ready", organizationId);
  }
  return reaped;
}
