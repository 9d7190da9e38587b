// Renews the claims of all running turns, and tells each turn when it must stop.

import { isDatabaseDown } from "@dari/control/context";
import { renewClaims } from "@dari/control/turns";
import type { Claim, Database, RenewedLease } from "@dari/db";
import { setTimeout as sleep } from "node:timers/promises";
import { loop, type Loop, type Logger } from "@dari/runtime";

/** Why a turn must stop: its claim is gone, its message was cancelled, or the worker shuts down. */
export type StopReason = "lost" | "cancelled" | "released";

export interface HeldLease {
  /** Aborts with a StopReason as its reason. */
  readonly signal: AbortSignal;
  release(): void;
}

export interface LeaseKeeper {
  /** `askedAt`: just before the claim was requested, by `performance.now()`. Its reply may have come much later. */
  hold(claim: Claim & { readonly askedAt: number }): HeldLease;
  /** Renews now, because a cancel was requested. */
  nudge(): void;
  /** Rejects with the reason if leases are not being renewed. */
  check(): Promise<void>;
  /** Stops every running turn, and those that are held from now on, because their claims were in progress. */
  stopAll(reason: StopReason): void;
  close(): Promise<void>;
}

interface Entry {
  readonly claim: Claim;
  readonly controller: AbortController;
  /** From before the claim, or the last successful renewal, was requested. Local and monotonic, in milliseconds. */
  deadline: number;
}

interface KeeperOptions {
  readonly db: Database;
  readonly leaseMs: number;
  readonly renewMs: number;
  readonly log: Logger;
}

/** How long turns continue after their lease while the database refuses all clients, in milliseconds. */
const downPatienceMs = 120_000;

/**
 * Interval of the checks of local deadlines, in milliseconds. They need no reply, so a process that was suspended past
 * its lease stops its turns as soon as it wakes, before it asks the database.
 */
const lookEveryMs = 100;

export function createLeaseKeeper(options: KeeperOptions): LeaseKeeper {
  const keeping: Keeping = {
    entries: new Map(),
    renewedAt: performance.now(),
    sharedPatienceMs: 0,
    hasPassedOver: false,
    log: options.log,
  };
  const { entries } = keeping;
  let stopped: StopReason | undefined;
  const closing = new AbortController();
  const looking = setInterval(() => {
    stopOverdue(keeping);
    if (keeping.hasPassedOver) renewal.nudge();
  }, lookEveryMs);
  const renewal: Loop = loop({
    name: "renew-leases",
    everyMs: options.renewMs,
    signal: closing.signal,
    log: options.log,
    runOnce: () => renewAll(options, keeping),
  });

  return {
    hold(claim) {
      const controller = new AbortController();
      const key = keyOf(claim);
      entries.set(key, { claim, controller, deadline: claim.askedAt + options.leaseMs });
      if (stopped !== undefined) controller.abort(stopped);
      return { signal: controller.signal, release: () => entries.delete(key) };
    },
    nudge: () => renewal.nudge(),
    check() {
      const agoMs = performance.now() - keeping.renewedAt;
      if (agoMs <= options.leaseMs) return Promise.resolve();
      return Promise.reject(new Error(`no lease was renewed for ${Math.round(agoMs)} ms`));
    },
    stopAll(reason) {
      stopped = reason;
      for (const entry of entries.values()) entry.controller.abort(reason);
    },
    async close() {
      closing.abort();
      clearInterval(looking);
      await renewal.done;
    },
  };
}

interface Keeping {
  readonly entries: Map<string, Entry>;
  /** When all leases were last renewed. Local and monotonic, in milliseconds. */
  renewedAt: number;
  /** How long turns may currently continue past their deadline. */
  sharedPatienceMs: number;
  /** Whether a lease was not renewed because its session's row was locked: the next check tries again. */
  hasPassedOver: boolean;
  readonly log: Logger;
}

/**
 * One worker can hold two claims of a session, of which the first is lost, for example if the database's clock was
 * changed.
 */
function keyOf({ sessionId, fence }: Pick<Claim, "sessionId" | "fence">): string {
  return `${sessionId} ${fence}`;
}

function stopOverdue({ entries, sharedPatienceMs, log }: Keeping): void {
  const now = performance.now();
  for (const entry of entries.values()) if (now > entry.deadline + sharedPatienceMs) lose(entry, log);
}

function lose({ claim, controller }: Entry, log: Logger): void {
  if (controller.signal.aborted) return;
  controller.abort("lost");
  log.warn({ session: claim.sessionId, fence: claim.fence }, "lease.lost");
}

async function renewAll(options: KeeperOptions, keeping: Keeping): Promise<void> {
  stopOverdue(keeping);
  // Turns that are being stopped are held until their end is recorded.
  const held = [...keeping.entries.values()].filter((entry) => entry.controller.signal.reason !== "lost");
  const before = performance.now();
  keeping.hasPassedOver = false;
  try {
    const claims = held.map((entry) => entry.claim);
    const renewed = await within(options.renewMs, renewClaims(options.db, claims, options.leaseMs));
    settle(held, new Map(renewed.map((one) => [keyOf(one), one])), before + options.leaseMs, options.log);
    keeping.hasPassedOver = renewed.some(({ isRenewed }) => !isRenewed);
    keeping.sharedPatienceMs = 0;
    keeping.renewedAt = performance.now();
  } catch (error) {
    // While the database is down, no worker can claim, so the turns continue for a while. Any other error may mean that
    // only this worker is disconnected: then the local deadline counts.
    keeping.sharedPatienceMs = isDatabaseDown(error) ? downPatienceMs : 0;
    options.log.warn({ err: error, claims: held.length }, "leases.not_renewed");
    stopOverdue(keeping);
  }
}

/** Rejects after `ms`, so that a missing reply does not stop the checks of deadlines. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const giveUp = new AbortController();
  const late = sleep(ms, undefined, { signal: giveUp.signal }).then(() => {
    throw new Error(`no answer from the database within ${ms} ms`);
  });
  late.catch(() => undefined);
  work.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    giveUp.abort();
  }
}

function settle(
  held: readonly Entry[],
  answers: ReadonlyMap<string, RenewedLease>,
  deadline: number,
  log: Logger,
): void {
  for (const entry of held) {
    const answer = answers.get(keyOf(entry.claim));
    if (answer === undefined) lose(entry, log);
    else if (answer.cancelRequested) entry.controller.abort("cancelled");
    else if (answer.isRenewed) entry.deadline = deadline;
  }
}
