// The dispatcher's tick: assigns free slots to ready sessions by fair shares. Several leaders at the same time are
// safe, but the shares are fairer with a single leader.

import { deliverTurns, type DeliveryContext } from "@dari/control/context";
import { dispatch, workers, type Database, type FleetLoad, type SlotGrant, type OrganizationShare } from "@dari/db";
import { redispatchAll } from "./redispatch-all.ts";
import { createLaneShares, type LaneShares } from "./lane-shares.ts";
import { createReadyList } from "./ready-list.ts";
import { createFleet } from "./slot-limits.ts";
import { shareSlots, type Share } from "./share-slots.ts";
import { createVirtualTimes, type VirtualTimes } from "./virtual-times.ts";

export interface DispatcherSettings {
  /** Identifies this process among the candidates. */
  readonly holder: string;
  /** A leader that is silent for this long is replaced, in milliseconds. */
  readonly leadTtlMs: number;
  /** How long a dispatch can stay unclaimed, in milliseconds. */
  readonly dispatchTtlMs: number;
  /** Workers unseen for longer offer no slots, in milliseconds. */
  readonly workerSeenWithinMs: number;
  /** Returns whether Redis lost its data since the last call; undefined without Redis. */
  readonly noticeFlush?: () => Promise<boolean>;
}

export interface Dispatcher {
  /**
   * Runs one tick. Returns how many turns were dispatched; `leading: false` if another process leads. `mayHaveWork`: if
   * it resolves with false, the tick only keeps the lead (default: true).
   */
  tick(mayHaveWork?: () => Promise<boolean>): Promise<{ leading: boolean; dispatched: number; redispatched: number }>;
  /**
   * Whether sessions waited at the last tick. If so, run another tick when a slot becomes free. False while another
   * process leads.
   */
  readonly hasWaitingSessions: boolean;
  /** Gives up the lead, so that another process can lead at once. */
  resign(): Promise<void>;
}

export const dispatcherLead = "dispatcher";
/** Minimum time between two renewals of the lead, in milliseconds. */
const renewLeadEveryMs = 250;
/** If the lead expires soon, ticks renew it this many times before. Slower ticks, as at rest, renew it less often. */
const renewalsPerTtl = 4;
const perTickMax = 500;
/** Maximum number of passes in one tick. Another pass runs if organizations could not use all slots they were given. */
const passesMax = 4;
/** Minimum time between two reads of ended attempts, in milliseconds. Ticks can follow each other faster. */
const chargeEveryMs = 250;
/** Maximum number of ended attempts that one tick reads. The next tick continues. */
const endedPerTickMax = 5_000;
/** Attempts that ended in the last milliseconds are left for the next read: some may not be committed yet. */
const endedSettlingMs = 250;

export function createDispatcher(context: DeliveryContext, settings: DispatcherSettings): Dispatcher {
  let usage = createUsage(context.db);
  const ready = createReadyList(context.db);
  const stopListening = context.notifier.subscribe("ready", undefined, (id) => ready.reload(id));
  const lead = createLead(context.db, settings);
  const lanes = createLaneShares();
  let hasWaitingSessions = false;

  /** Returns how many turns were dispatched, and the organizations that got fewer turns than slots. */
  const assignSlots = async (waiting: readonly OrganizationShare[]): Promise<{ count: number; short: Set<string> }> => {
    const short = new Set<string>();
    const load = await dispatch.getFleetLoad(context.db, settings.workerSeenWithinMs);
    if (load.slots <= load.inFlight || load.starts <= 0) return { count: 0, short };
    const shares = shareSlots(usage.times, createFleet(load, waiting), perTickMax, performance.now());
    const turns = await dispatch.dispatchIfReady(context.db, withLanes(lanes, shares, load), settings.dispatchTtlMs);
    for (const { organizationId, count } of shares) {
      const begun = turns.filter((turn) => turn.organizationId === organizationId);
      const background = begun.filter((turn) => turn.isBackground).length;
      lanes.record(organizationId, { interactive: begun.length - background, background });
      usage.times.undoCharge(organizationId, count - begun.length);
      if (begun.length < count) short.add(organizationId);
      ready.reload(organizationId);
    }
    await deliverTurns(context, turns);
    return { count: turns.length, short };
  };

  return {
    get hasWaitingSessions() {
      return hasWaitingSessions;
    },
    async tick(mayHaveWork = () => Promise.resolve(true)) {
      if (!(await lead.keep())) {
        // If this process leads again, it starts with empty virtual times: it did not see the turns in between.
        usage = createUsage(context.db);
        hasWaitingSessions = false;
        return { leading: false, dispatched: 0, redispatched: 0 };
      }
      const redispatched = (await hasNoticedFlush(context, settings)) ? await redispatchAll(context, 10_000) : 0;
      if (redispatched > 0) context.log.warn({ redispatched }, "queue.flush_noticed");

      if (redispatched === 0 && !(await mayHaveWork())) {
        hasWaitingSessions = false;
        return { leading: true, dispatched: 0, redispatched };
      }
      const isCharged = await usage.chargeEnded();
      let waiting = await ready.read(performance.now());
      hasWaitingSessions = waiting.length > 0;
      if (waiting.length === 0 && !isCharged) return { leading: true, dispatched: 0, redispatched };
      let dispatched = 0;
      // If an organization's sessions wait for a max_concurrency, the organization cannot use all its slots. The next
      // pass gives these slots to other organizations. In that pass the organization counts as not ready, so it keeps
      // no credit for the unused slots.
      for (let pass = 0; pass < passesMax && (pass === 0 || waiting.length > 0); pass++) {
        const { count, short } = await assignSlots(waiting);
        dispatched += count;
        if (short.size === 0) break;
        waiting = waiting.filter(({ organizationId }) => !short.has(organizationId));
      }
      return { leading: true, dispatched, redispatched };
    },
    async resign() {
      stopListening();
      await workers.resignIfLeading(context.db, dispatcherLead, settings.holder);
    },
  };
}

/** Splits each organization's slots into those for its background lane and the others. */
function withLanes(lanes: LaneShares, shares: readonly Share[], load: FleetLoad): SlotGrant[] {
  const held = new Map(load.holders.map((holder) => [holder.organizationId, holder]));
  return shares.map(({ organizationId, count }) => {
    const background = lanes.backgroundFirst(organizationId, count, held.get(organizationId) ?? nothingHeld);
    return { organizationId, count, background };
  });
}

const nothingHeld = { inFlight: 0, background: 0 };

/**
 * Takes or renews the lead, as rarely as possible. Two leaders for a moment do no harm. `keep` returns whether it
 * leads.
 */
function createLead(db: Database, settings: DispatcherSettings): { keep(): Promise<boolean> } {
  const renewEveryMs = Math.min(renewLeadEveryMs, settings.leadTtlMs / renewalsPerTtl);
  let renewedAtMs = -Infinity;
  let leading = false;
  return {
    async keep() {
      const nowMs = performance.now();
      if (leading && nowMs - renewedAtMs < renewEveryMs) return true;
      leading = await workers.leadIfFree(db, dispatcherLead, settings.holder, settings.leadTtlMs);
      renewedAtMs = nowMs;
      return leading;
    },
  };
}

async function hasNoticedFlush(context: DeliveryContext, settings: DispatcherSettings): Promise<boolean> {
  if (settings.noticeFlush === undefined || !context.delivery.available) return false;
  // Redis may become unavailable between the two calls. The next tick tries again.
  return settings.noticeFlush().catch(() => false);
}

/**
 * Holds the virtual times, and the time up to which ended attempts are charged. `chargeEnded` returns false if the last
 * read was too recent.
 */
function createUsage(db: Database): { readonly times: VirtualTimes; chargeEnded(): Promise<boolean> } {
  const times = createVirtualTimes();
  let chargedUntil: string | undefined;
  let chargedAtMs = -Infinity;
  return {
    times,
    async chargeEnded() {
      const nowMs = performance.now();
      if (nowMs - chargedAtMs < chargeEveryMs) return false;
      chargedAtMs = nowMs;
      const bounds = { settlingMs: endedSettlingMs, limit: endedPerTickMax };
      const { until, ended } = await dispatch.readSlotUsage(db, chargedUntil, bounds);
      times.chargeEnded(ended, nowMs);
      chargedUntil = until;
      return true;
    },
  };
}
