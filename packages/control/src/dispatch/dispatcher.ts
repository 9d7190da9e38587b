// The leading dispatcher's tick: ready sessions to free slots, fairly. Safe with any number of leaders; one is fairer.

import { dispatch, workers, type Database } from "@dari/db";
import { deliverTurns, redispatchAll, type DeliveryContext } from "./deliver.ts";
import { fleetOf } from "./room.ts";
import { shareSlots } from "./shares.ts";
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
  /** Gives up the lead, so that another process takes it at once. */
  resign(): Promise<void>;
}

export const dispatcherLead = "dispatcher";
const perTickMax = 500;
/** Ticks follow each other faster than this when messages come in; what ended is read no oftener. */
const chargeEveryMs = 250;
/** Ended attempts that one tick reads; what it leaves, the next one reads. */
const endedPerTickMax = 5_000;
/** Attempts that ended later may be in transactions that are not visible yet. */
const endedSettlingMs = 250;

export function createDispatcher(context: DeliveryContext, settings: DispatcherSettings): Dispatcher {
  let usage = createUsage(context.db);

  return {
    async tick() {
      if (!(await workers.leadIfFree(context.db, dispatcherLead, settings.holder, settings.leadTtlMs))) {
        // Whoever leads again later starts afresh: fair from then on.
        usage = createUsage(context.db);
        return { leading: false, dispatched: 0, redispatched: 0 };
      }
      const redispatched = (await flushNoticed(context, settings)) ? await redispatchAll(context, 10_000) : 0;
      if (redispatched > 0) context.log.warn({ redispatched }, "queue.flush_noticed");

      await usage.chargeEnded();
      const load = await dispatch.getFleetLoad(context.db, settings.workerSeenWithinMs);
      if (load.slots <= load.inFlight) return { leading: true, dispatched: 0, redispatched };
      const fleet = fleetOf(load, await dispatch.listReadyOrganizations(context.db));
      const shares = shareSlots(usage.times, fleet, perTickMax, performance.now());
      const turns = await dispatch.dispatchIfReady(context.db, shares, settings.dispatchTtlMs);
      await deliverTurns(context, turns);
      return { leading: true, dispatched: turns.length, redispatched };
    },
    async resign() {
      await workers.resignIfLeading(context.db, dispatcherLead, settings.holder);
    },
  };
}

async function flushNoticed(context: DeliveryContext, settings: DispatcherSettings): Promise<boolean> {
  if (settings.noticeFlush === undefined || !context.delivery.available) return false;
  // Redis may go away between the two; the next tick looks again.
  return settings.noticeFlush().catch(() => false);
}

/** Virtual times, and how far the attempts that ended have been charged to them. */
function createUsage(db: Database): { readonly times: VirtualTimes; chargeEnded(): Promise<void> } {
  const times = createVirtualTimes();
  let chargedUntil: string | undefined;
  let chargedAtMs = -Infinity;
  return {
    times,
    async chargeEnded() {
      const nowMs = performance.now();
      if (nowMs - chargedAtMs < chargeEveryMs) return;
      chargedAtMs = nowMs;
      const bounds = { settlingMs: endedSettlingMs, limit: endedPerTickMax };
      const { until, ended } = await dispatch.readEndedSeconds(db, chargedUntil, bounds);
      times.chargeEnded(ended, nowMs);
      chargedUntil = until;
    },
  };
}
