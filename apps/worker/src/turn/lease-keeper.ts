// Renews the claims of all running turns, and tells each turn when it must stop.

import { isDatabaseDown, isDatabaseUnreachable } from "@dari/control/context";
import { openLeaseConnections, renewClaims } from "@dari/control/turns";
import type { Claim, Database, RenewedLease } from "@dari/db";
import { setImmediate as afterInput, setTimeout as sleep } from "node:timers/promises";
import { loop, type Loop, type Logger } from "@dari/runtime";

/** Why a turn must stop: its claim was lost, its message was cancelled, or the worker shuts down. */
export type StopReason = "lost" | "cancelled" | "released";

export interface HeldLease {
  /** Aborts when the turn must stop, with a StopReason as its reason. */
  readonly signal: AbortSignal;
  /** Calls back whenever a renewal finds a message that steers the turn. Returns a function that stops that. */
  onSteering(listener: () => void): () => void;
  /** Stops the renewal of the claim. Call it once the turn's end is recorded. */
  release(): void;
}

export interface LeaseKeeper {
  /**
   * Renews the claim until it is released. `askedAt`: the time just before the claim was requested, by
   * `performance.now()`, because the reply may have arrived much later.
   */
  hold(claim: Claim & { readonly askedAt: number }): HeldLease;
  /** Renews now, because a cancel was requested, or a message waits that steers a turn. */
  nudge(): void;
  /** Rejects with the reason if leases have not been renewed for the length of a lease. */
  check(): Promise<void>;
  /** Stops every running turn, and every turn whose claim is still in progress, as soon as it is held. */
  stopAll(reason: StopReason): void;
  close(): Promise<void>;
}

interface Entry {
  readonly claim: Claim;
  readonly controller: AbortController;
  onSteering: (() => void) | undefined;
  /** Whether a message waits that no listener was told of. */
  steeringWaits: boolean;
  /**
   * When the lease expires, counted from the time just before the claim or its last successful renewal was requested.
   * By `performance.now()`.
   */
  deadline: number;
}

interface KeeperOptions {
  /** Renewals use connections of their own to this database, and these only where the server allows no more. */
  readonly db: Database;
  readonly leaseMs: number;
  readonly renewMs: number;
  readonly log: Logger;
}

/** How long turns continue after their lease while the database refuses all clients, in milliseconds. */
const downPatienceMs = 120_000;

/**
 * Interval of the checks of local deadlines while there are leases, in milliseconds. The checks need no reply of the
 * database. So a process that was suspended for longer than its leases stops its turns as soon as it continues.
 */
const checkEveryMs = 100;

export function createLeaseKeeper(options: KeeperOptions): LeaseKeeper {
  const keeping: Keeping = {
    entries: new Map(),
    renewedAt: performance.now(),
    sharedPatienceMs: 0,
    hasSkippedLocked: false,
    log: options.log,
  };
  const { entries } = keeping;
  let stopped: StopReason | undefined;
  let nudgedAt = 0;
  const closing = new AbortController();
  const db = openLeaseConnections(options.db);
  const checks = createChecks(keeping, () => renewal.nudge());
  const renewal: Loop = loop({
    name: "renew-leases",
    everyMs: options.renewMs,
    signal: closing.signal,
    log: options.log,
    runOnce: () => renewAll({ ...options, own: db }, keeping),
  });

  return {
    hold(claim) {
      const controller = new AbortController();
      const key = keyOf(claim);
      const entry: Entry = {
        claim,
        controller,
        onSteering: undefined,
        steeringWaits: false,
        deadline: claim.askedAt + options.leaseMs,
      };
      entries.set(key, entry);
      checks.start();
      if (stopped !== undefined) controller.abort(stopped);
      // What was announced while the claim's reply was on its way.
      if (nudgedAt > claim.askedAt) renewal.nudge();
      return {
        signal: controller.signal,
        onSteering(listener) {
          entry.onSteering = listener;
          if (entry.steeringWaits) listener();
          entry.steeringWaits = false;
          return () => void (entry.onSteering = undefined);
        },
        release: () => entries.delete(key),
      };
    },
    nudge() {
      nudgedAt = performance.now();
      renewal.nudge();
    },
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
      checks.close();
      await renewal.done;
      await db.close();
    },
  };
}

interface Keeping {
  readonly entries: Map<string, Entry>;
  /** When all leases were last renewed, by `performance.now()`. */
  renewedAt: number;
  /** How long turns may currently continue after their deadline, in milliseconds. */
  sharedPatienceMs: number;
  /** Whether a lease was not renewed because the session's row was locked. The next check then renews again. */
  hasSkippedLocked: boolean;
  readonly log: Logger;
}

/** Checks local deadlines while there are leases, until it is closed. */
function createChecks(keeping: Keeping, renew: () => void): { start(): void; close(): void } {
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  const stop = (): void => {
    clearInterval(timer);
    timer = undefined;
  };
  const check = (): void => {
    stopOverdue(keeping);
    if (keeping.hasSkippedLocked) renew();
    if (keeping.entries.size === 0) stop();
  };
  return {
    start() {
      // A reply that came while this process was busy is read before its lease counts as lost.
      if (!isClosed) timer ??= setInterval(() => setImmediate(check), checkEveryMs);
    },
    close() {
      isClosed = true;
      stop();
    },
  };
}

/**
 * Returns the key of a claim. The fence is part of it, because one worker can hold two claims of a session, for example
 * after a change of the database's clock. The first claim is then lost.
 */
function keyOf({ sessionId, fence }: Pick<Claim, "sessionId" | "fence">): string {
  return `${sessionId} ${fence}`;
}

function stopOverdue({ entries, sharedPatienceMs, log }: Keeping): void {
  const now = performance.now();
  for (const entry of entries.values()) if (now > entry.deadline + sharedPatienceMs) stopLost(entry, log);
}

function stopLost({ claim, controller }: Entry, log: Logger): void {
  if (controller.signal.aborted) return;
  controller.abort("lost");
  log.warn({ session: claim.sessionId, fence: claim.fence }, "lease.lost");
}

async function renewAll(options: KeeperOptions & { readonly own: Database }, keeping: Keeping): Promise<void> {
  stopOverdue(keeping);
  // Turns that are being stopped keep their leases until their end is recorded.
  const held = [...keeping.entries.values()].filter((entry) => entry.controller.signal.reason !== "lost");
  const before = performance.now();
  keeping.hasSkippedLocked = false;
  try {
    const claims = held.map((entry) => entry.claim);
    const renewed = await within(options.renewMs, renew(options, claims));
    applyRenewals(held, new Map(renewed.map((one) => [keyOf(one), one])), before + options.leaseMs, options.log);
    keeping.hasSkippedLocked = renewed.some(({ isRenewed }) => !isRenewed);
    keeping.sharedPatienceMs = 0;
    keeping.renewedAt = performance.now();
  } catch (error) {
    // While the database is down, no worker can claim, so the turns continue for a while. After any other error, only
    // this worker may be disconnected, so the local deadlines apply.
    keeping.sharedPatienceMs = isDatabaseDown(error) ? downPatienceMs : 0;
    options.log.warn({ err: error, claims: held.length }, "leases.not_renewed");
    stopOverdue(keeping);
  }
}

/** Renews over the connections of turns if none of its own can be opened. To renew twice does no harm. */
function renew(
  { own, db, leaseMs }: KeeperOptions & { readonly own: Database },
  claims: readonly Claim[],
): Promise<RenewedLease[]> {
  return renewClaims(own, claims, leaseMs).catch((error: unknown) => {
    if (!isDatabaseUnreachable(error) || isDatabaseDown(error)) throw error;
    return renewClaims(db, claims, leaseMs);
  });
}

/** Rejects after `ms`, so that a missing reply does not stop the checks of deadlines. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const giveUp = new AbortController();
  const late = sleep(ms, undefined, { signal: giveUp.signal }).then(async () => {
    await afterInput();
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

function applyRenewals(
  held: readonly Entry[],
  answers: ReadonlyMap<string, RenewedLease>,
  deadline: number,
  log: Logger,
): void {
  for (const entry of held) {
    const answer = answers.get(keyOf(entry.claim));
    if (answer === undefined) stopLost(entry, log);
    else if (answer.cancelRequested) entry.controller.abort("cancelled");
    else {
      if (answer.isRenewed) entry.deadline = deadline;
      if (!answer.steeringWaits) continue;
      if (entry.onSteering === undefined) entry.steeringWaits = true;
      else entry.onSteering();
    }
  }
}
