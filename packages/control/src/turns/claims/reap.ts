// Repairs what no living worker will: called by the reconciler's clock, takes no input, bounded.

import { dispatch, readiness, type Database, type ReapedSession } from "@dari/db";
import { limits, type Log, type Notifier } from "@dari/domain";

export interface ReapSettings {
  /** Milliseconds after the database's start in which nothing is reaped: one lease. */
  readonly graceMs: number;
}

const batch = 200;
/** A retry that is overdue by this many milliseconds is dispatched again, because its delivery is lost. */
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
 * Reaps again and again, and knows when the database was away, also where that was only the way to it or where another
 * server has taken over: then every lease looks expired, and workers that are alive get the time to renew theirs, which
 * they do `limits.leaseRenewals` times a lease.
 *
 * `reapEveryMs`: how often it is run; a pace that is slow by intent is no absence.
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
        if (!(await readiness.takesWrites(context.db))) throw new Error("the database takes no writes");
        heldUntil = performance.now() + leaseMs / 2;
        context.log.info({ held_ms: leaseMs / 2 }, "reaper.holds");
      }
      const isHeld = performance.now() < heldUntil;
      const reaped = isHeld ? [] : await reapSessions(context, { graceMs: leaseMs });
      if (isHeld && !wasAway) await readiness.takesWrites(context.db);
      reachedAt = performance.now();
      return reaped;
    },
  };
}

/** Ends expired claims, and gives back dispatches and retries that nobody came for. */
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
