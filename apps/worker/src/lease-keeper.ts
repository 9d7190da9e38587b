// Keeps the claims of all running turns alive, and tells each turn when it must stop. Decides nothing about turns.

import { isDatabaseAway, renewClaims, type Claim, type Database } from "@dari/control";
import { loop, type Loop, type Logger } from "@dari/runtime";

/** Why a turn must stop: its claim is gone, its message was cancelled, or the worker shuts down. */
export type StopReason = "lost" | "cancelled" | "released";

export interface HeldLease {
  /** Aborts with a StopReason as its reason. */
  readonly signal: AbortSignal;
  release(): void;
}

export interface LeaseKeeper {
  hold(claim: Claim): HeldLease;
  /** Renew now: a cancel was asked for. */
  nudge(): void;
  /** Stops every turn that still runs. */
  stopAll(reason: StopReason): void;
  close(): Promise<void>;
}

interface Entry {
  readonly claim: Claim;
  readonly controller: AbortController;
  /** Local, monotonic: from before the last renewal that worked. Milliseconds. */
  deadline: number;
}

export function createLeaseKeeper(options: {
  db: Database;
  leaseMs: number;
  renewMs: number;
  log: Logger;
}): LeaseKeeper {
  const entries = new Map<string, Entry>();
  const closing = new AbortController();
  const renewal: Loop = loop({
    name: "renew-leases",
    everyMs: options.renewMs,
    signal: closing.signal,
    log: options.log,
    runOnce: () => renewAll(options, entries),
  });

  return {
    hold(claim) {
      const controller = new AbortController();
      const key = `${claim.sessionId} ${claim.fence}`;
      entries.set(key, { claim, controller, deadline: performance.now() + options.leaseMs });
      return { signal: controller.signal, release: () => entries.delete(key) };
    },
    nudge: () => renewal.nudge(),
    stopAll(reason) {
      for (const entry of entries.values()) entry.controller.abort(reason);
    },
    async close() {
      closing.abort();
      await renewal.done;
    },
  };
}

async function renewAll(
  options: { db: Database; leaseMs: number; log: Logger },
  entries: ReadonlyMap<string, Entry>,
): Promise<void> {
  const held = [...entries.values()].filter((entry) => !entry.controller.signal.aborted);
  if (held.length === 0) return;
  const before = performance.now();
  try {
    const renewed = await renewClaims(
      options.db,
      held.map((entry) => entry.claim),
      options.leaseMs,
    );
    settle(held, new Map(renewed.map((one) => [one.sessionId, one.cancelRequested])), before + options.leaseMs);
  } catch (error) {
    // While the database is down nobody can claim, so the turns go on. A statement that got no answer may mean that
    // only this worker is cut off: then the local deadline counts.
    if (isDatabaseAway(error)) {
      options.log.warn({ err: error, claims: held.length }, "leases.database_away");
      return;
    }
    for (const entry of held) if (performance.now() > entry.deadline) entry.controller.abort("lost");
    throw error;
  }
}

function settle(held: readonly Entry[], renewed: ReadonlyMap<string, boolean>, deadline: number): void {
  for (const entry of held) {
    const cancelRequested = renewed.get(entry.claim.sessionId);
    if (cancelRequested === undefined) entry.controller.abort("lost");
    else if (cancelRequested) entry.controller.abort("cancelled");
    else entry.deadline = deadline;
  }
}
