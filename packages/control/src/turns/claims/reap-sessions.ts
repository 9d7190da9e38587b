// Ends the claims and dispatches that a dead worker left. The reconciler runs this periodically.

import { dispatch, readiness, type Database, type ReapedSession } from "@dari/db";
import { limits, type Log, type Notifier } from "@dari/domain";

export interface ReapSettings {
  /** Nothing is reaped for this long after the database's start: one lease, in milliseconds. */
  readonly graceMs: number;
}

/** Maximum number of sessions that one call reaps. */
const batch = 200;
/** If a retry is overdue for longer, its delivery was lost, and it becomes ready again. In milliseconds. */
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
 * Reaps on each call of `runOnce`. If the database was unavailable, unreachable or replaced by another server, all
 * leases look expired. The reaper then holds for half a lease, so that live workers can renew their leases, which they
 * do `limits.leaseRenewals` times per lease.
 *
 * `reapEveryMs`: the expected time between two calls, which does not count as an absence of the database. `hasExpired`:
 * whether there is anything to reap (default: always). It must reject if the database accepts no writes, because the
 * reaper would otherwise count a standby as reached.
 */
export function createReaper(
  context: ReapContext,
  settings: {
    readonly leaseMs: number;
    readonly reapEveryMs: number;
    readonly hasExpired?: () => Promise<boolean>;
  },
): Reaper {
  const { leaseMs, reapEveryMs, hasExpired = () => Promise.resolve(true) } = settings;
  let reachedAt = -Infinity;
  let heldUntil = -Infinity;
  return {
    async runOnce() {
      const wasAway = performance.now() - reachedAt > reapEveryMs + leaseMs / limits.leaseRenewals;
      if (wasAway) {
        await requireWrites(context.db);
        heldUntil = performance.now() + leaseMs / 2;
        context.log.info({ held_ms: leaseMs / 2 }, "reaper.holds");
      }
      const isHeld = performance.now() < heldUntil;
      const reaped = isHeld || !(await hasExpired()) ? [] : await reapSessions(context, { graceMs: leaseMs });
      if (isHeld && !wasAway) await requireWrites(context.db);
      reachedAt = performance.now();
      return reaped;
    },
  };
}

async function requireWrites(db: Database): Promise<void> {
  if (!(await readiness.acceptsWrites(db))) throw new Error("the database accepts no writes");
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
