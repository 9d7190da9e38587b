// The leading dispatcher's tick: ready sessions to free slots, fairly. Safe with any number of leaders; one is fairer.

import { deliverTurns, type DeliveryContext } from "@dari/control/context";
import { dispatch, workers, type Database, type FleetLoad, type GivenShare, type OrganizationShare } from "@dari/db";
import { redispatchAll } from "./redispatch-all.ts";
import { createLaneShares, type LaneShares } from "./lanes.ts";
import { createReadyList } from "./ready-list.ts";
import { fleetOf } from "./slot-limits.ts";
import { shareSlots, type Share } from "./shares.ts";
import { createVirtualTimes, type VirtualTimes } from "./virtual-times.ts";

export interface DispatcherSettings {
  /** Names this process among candidates for the lead. */
  readonly holder: string;
  /** Milliseconds after which a silent leader is replaced. */
  readonly leadTtlMs: number;
  /** Milliseconds a dispatch may stay unclaimed. */
  readonly dispatchTtlMs: number;
  /** Workers unseen for longer offer no slots. */
  readonly workerSeenWithinMs: number;
  /** Says that Redis lost its memory since the last call; undefined without Redis. */
  readonly noticeFlush?: () => Promise<boolean>;
}

export interface Dispatcher {
  /** One pass. Returns what it did; `leading: false` when another process leads. */
  tick(): Promise<{ leading: boolean; dispatched: number; redispatched: number }>;
  /** Whether sessions waited at the last pass: then a slot that comes free is worth another one. */
  readonly isAwaited: boolean;
  /** Gives up the lead, so that another process takes it at once. */
  resign(): Promise<void>;
}

export const dispatcherLead = "dispatcher";
/** The lead is renewed no oftener, and at least this many times before it is lost. */
const renewLeadEveryMs = 250;
const renewalsPerTtl = 4;
const perTickMax = 500;
/** Passes of one tick over free slots, while organizations cannot use those they are given. */
const passesMax = 4;
/** Ticks follow each other faster than this when messages come in; what ended is read no oftener. */
const chargeEveryMs = 250;
/** Ended attempts that one tick reads; what it leaves, the next one reads. */
const endedPerTickMax = 5_000;
/** Attempts that ended later may be in transactions that are not visible yet. */
const endedSettlingMs = 250;

export function createDispatcher(context: DeliveryContext, settings: DispatcherSettings): Dispatcher {
  let usage = createUsage(context.db);
  const ready = createReadyList(context.db);
  const stopListening = context.notifier.subscribe("ready", undefined, (id) => ready.look(id));
  const lead = createLead(context.db, settings);
  const lanes = createLaneShares();
  let isAwaited = false;

  /** Returns how many turns were dispatched, and the organizations that got fewer of them than slots. */
  const giveSlots = async (waiting: readonly OrganizationShare[]): Promise<{ count: number; short: Set<string> }> => {
    const short = new Set<string>();
    const load = await dispatch.getFleetLoad(context.db, settings.workerSeenWithinMs);
    if (load.slots <= load.inFlight) return { count: 0, short };
    const shares = shareSlots(usage.times, fleetOf(load, waiting), perTickMax, performance.now());
    const turns = await dispatch.dispatchIfReady(context.db, withLanes(lanes, shares, load), settings.dispatchTtlMs);
    for (const { organizationId, count } of shares) {
      const begun = turns.filter((turn) => turn.organizationId === organizationId);
      const background = begun.filter((turn) => turn.isBackground).length;
      lanes.record(organizationId, { interactive: begun.length - background, background });
      usage.times.takeBack(organizationId, count - begun.length);
      if (begun.length < count) short.add(organizationId);
      ready.look(organizationId);
    }
    await deliverTurns(context, turns);
    return { count: turns.length, short };
  };

  return {
    get isAwaited() {
      return isAwaited;
    },
    async tick() {
      if (!(await lead.keep())) {
        // A later leader starts with fresh virtual times, and is fair from then on.
        usage = createUsage(context.db);
        return { leading: false, dispatched: 0, redispatched: 0 };
      }
      const redispatched = (await flushNoticed(context, settings)) ? await redispatchAll(context, 10_000) : 0;
      if (redispatched > 0) context.log.warn({ redispatched }, "queue.flush_noticed");

      const isCharged = await usage.chargeEnded();
      let waiting = await ready.read(performance.now());
      isAwaited = waiting.length > 0;
      if (waiting.length === 0 && !isCharged) return { leading: true, dispatched: 0, redispatched };
      let dispatched = 0;
      // Slots that an organization cannot use, because its sessions wait for a max_concurrency, go to the others at
      // once. Without being ready in the last pass, it saves up no credit by which it would be given them again.
      for (let pass = 0; pass < passesMax && (pass === 0 || waiting.length > 0); pass++) {
        const { count, short } = await giveSlots(waiting);
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

/** What each organization is given, with the part of it that is due to its background lane. */
function withLanes(lanes: LaneShares, shares: readonly Share[], load: FleetLoad): GivenShare[] {
  const held = new Map(load.holders.map((holder) => [holder.organizationId, holder]));
  return shares.map(({ organizationId, count }) => {
    const background = lanes.backgroundFirst(organizationId, count, held.get(organizationId) ?? nothingHeld);
    return { organizationId, count, background };
  });
}

const nothingHeld = { inFlight: 0, background: 0 };

/** Takes or keeps the lead, and asks no oftener than it must: two that believe they lead for a moment do no harm. */
function createLead(db: Database, settings: DispatcherSettings): { keep(): Promise<boolean> } {
  const renewEveryMs = Math.min(renewLeadEveryMs, settings.leadTtlMs / renewalsPerTtl);
  let askedAtMs = -Infinity;
  let leading = false;
  return {
    async keep() {
      const nowMs = performance.now();
      if (leading && nowMs - askedAtMs < renewEveryMs) return true;
      leading = await workers.leadIfFree(db, dispatcherLead, settings.holder, settings.leadTtlMs);
      askedAtMs = nowMs;
      return leading;
    },
  };
}

async function flushNoticed(context: DeliveryContext, settings: DispatcherSettings): Promise<boolean> {
  if (settings.noticeFlush === undefined || !context.delivery.available) return false;
  // Redis may go away between the two; the next tick looks again.
  return settings.noticeFlush().catch(() => false);
}

/**
 * Virtual times, and how far the attempts that ended have been charged to them. `chargeEnded` answers whether it was
 * time to.
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
      const { until, ended } = await dispatch.readEndedSeconds(db, chargedUntil, bounds);
      times.chargeEnded(ended, nowMs);
      chargedUntil = until;
      return true;
    },
  };
}
