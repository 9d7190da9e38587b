// The leading dispatcher's tick: ready sessions to free slots, fairly. Safe with any number of leaders; one is fairer.

import { dispatch, workers } from "@dari/db";
import { deliverTurns, redispatchAll, type DeliveryContext } from "./deliver.ts";
import { shareSlots, type VirtualTimes } from "./shares.ts";

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

export function createDispatcher(context: DeliveryContext, settings: DispatcherSettings): Dispatcher {
  const times: VirtualTimes = new Map();

  return {
    async tick() {
      if (!(await workers.leadIfFree(context.db, dispatcherLead, settings.holder, settings.leadTtlMs))) {
        return { leading: false, dispatched: 0, redispatched: 0 };
      }
      const redispatched = (await flushNoticed(context, settings)) ? await redispatchAll(context, 10_000) : 0;
      if (redispatched > 0) context.log.warn({ redispatched }, "queue.flush_noticed");

      const load = await dispatch.getFleetLoad(context.db, settings.workerSeenWithinMs);
      const free = Math.min(load.slots - load.inFlight, perTickMax);
      if (free <= 0) return { leading: true, dispatched: 0, redispatched };
      const ready = await dispatch.listReadyOrganizations(context.db);
      const shares = shareSlots(times, ready, free);
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
