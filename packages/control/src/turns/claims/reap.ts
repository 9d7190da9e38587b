// Repairs what a dead worker left. Run periodically by the reconciler: no input, bounded.

import { dispatch, readiness, type Database, type ReapedSession } from "@dari/db";
import { limits, type Log, type Notifier } from "@dari/domain";

export interface ReapSettings {
  /** How long after the database's start nothing is reaped: one lease, in milliseconds. */
  readonly graceMs: number;
}

const batch = 200;
/** The delivery of a retry that is overdue for this many milliseconds is lost. It is dispatched again. */
const overdueMs = 1_000;

export interface ReapContext {
  readonly db: Database;
  readonly notifier: Notifier;
  readonly log: Log;
}

export interface Reaper {
  runOnce(): Promise<readonly ReapedSession[]>;
}

/**
 * Reaps periodically, and detects that the database was unavailable, was unreachable, or was replaced by another
 * server. All leases then look expired, so live workers get time to renew theirs, which they do `limits.leaseRenewals`
 * times per lease.
 *
 * `reapEveryMs`: the expected interval, which is not taken for an absence.
 */
export function createReaper(
  context: ReapContext,
  { leaseMs, reapEveryMs }: { readonly leaseMs: number; readonly reapEveryMs: number },
): Reaper {
  let reachedAt = -Infinity;
  let heldUntil = -Infinity;
  return {
    async runOnce() {
      const wasAway = performance.now() - reachedAt > reapEveryMs + leaseMs / limits.leaseRenewals;
      if (wasAway) {
        if (!(await readiness.acceptsWrites(context.db))) throw new Error("the database takes no writes");
        heldUntil = performance.now() + leaseMs / 2;
        context.log.info({ held_ms: leaseMs / 2 }, "reaper.holds");
      }
      const isHeld = performance.now() < heldUntil;
      const reaped = isHeld ? [] : await reapSessions(context, { graceMs: leaseMs });
      if (isHeld && !wasAway) await readiness.acceptsWrites(context.db);
      reachedAt = performance.now();
      return reaped;
    },
  };
}

/** Ends expired claims, and makes unclaimed dispatches and overdue retries ready again. */
export async function reapSessions(context: ReapContext, settings: ReapSettings): Promise<ReapedSession[]> {
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
