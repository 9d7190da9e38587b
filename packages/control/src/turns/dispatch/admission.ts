// Decides whether the API dispatches a session it just made ready itself, ahead of the dispatcher's tick.

import { dispatch, type Database } from "@dari/db";
import type { Admission, Notifier } from "@dari/domain";
import { createFleet, canTakeSlot, type Contender, type Fleet } from "./slot-limits.ts";

const freshMs = 250;
/** The maximum age of the view after a refusal, so that later callers are not refused for a wait that is over. */
const refusedFreshMs = 50;
const staleMs = 1_000;

/**
 * Keeps a view of the fleet that is at most a second old, refreshed in the background while it is used. Slots that
 * become free between refreshes are counted. The view only decides who delivers: a wrong decision costs a short wait,
 * never a turn.
 */
export function createAdmission(
  db: Database,
  options: { workerSeenWithinMs: number; notifier: Pick<Notifier, "subscribe"> },
): Admission {
  let view: FleetView | undefined;
  let isListening = false;
  // Limits of organizations as last seen: an organization that holds nothing is in no refresh.
  const bounds = new Map<string, number | null>();
  let readAt = 0;
  let reading = false;
  let wasRefused = false;

  const refresh = async (): Promise<void> => {
    reading = true;
    try {
      const [load, ready] = await Promise.all([
        dispatch.getFleetLoad(db, options.workerSeenWithinMs),
        dispatch.listReadyBelowCap(db, waitingMax),
      ]);
      const waiting = ready.filter(({ canBegin }) => canBegin);
      const fleet = createFleet(load, waiting);
      remember(bounds, fleet);
      view = ready.length < waitingMax ? createFleetView(fleet, bounds) : closedView;
      readAt = performance.now();
      wasRefused = false;
    } catch {
      view = undefined;
    } finally {
      reading = false;
    }
  };

  return {
    mayDispatch(organizationId) {
      // Workers have an admission too, but never ask it.
      if (!isListening) options.notifier.subscribe("slot", undefined, (id) => view?.giveBack(id));
      isListening = true;
      const age = performance.now() - readAt;
      if ((view === undefined || age > (wasRefused ? refusedFreshMs : freshMs)) && !reading) void refresh();
      const mayPass = view !== undefined && age <= staleMs && view.take(organizationId);
      wasRefused ||= !mayPass;
      return mayPass;
    },
  };
}

/** If this many organizations wait, only the dispatcher dispatches. */
const waitingMax = 200;
const closedView: FleetView = { take: () => false, giveBack: () => undefined };

export interface FleetView {
  /** Takes a slot for the organization, if it may have one before the organizations that wait. */
  take(organizationId: string): boolean;
  /** Returns a slot of the organization. It is reserved for refused organizations, if there are any. */
  giveBack(organizationId: string): void;
}

const rememberedMax = 10_000;

function remember(bounds: Map<string, number | null>, fleet: Fleet): void {
  if (bounds.size > rememberedMax) bounds.clear();
  for (const { organizationId, maxConcurrency } of fleet.contenders) bounds.set(organizationId, maxConcurrency);
}

/** The fleet as it was read, minus what was taken since. `bounds`: limits of organizations from earlier refreshes. */
export function createFleetView(fleet: Fleet, bounds: ReadonlyMap<string, number | null> = new Map()): FleetView {
  const held = new Map(fleet.contenders.map((contender) => [contender.organizationId, contender.inFlight]));
  const known = new Map(fleet.contenders.map((contender) => [contender.organizationId, contender]));
  let free = fleet.slots - fleet.contenders.reduce((sum, contender) => sum + contender.inFlight, 0);
  const isOpenTo = (contender: Contender): boolean =>
    canTakeSlot(fleet, contender, held.get(contender.organizationId) ?? 0, free);
  // Only an organization that waits because of its own limit may be passed.
  const isAwaited = fleet.contenders.some((contender) => contender.isReady && isOpenTo(contender));
  // These wait for the dispatcher, which knows whose turn it is.
  const refused = new Set<string>();

  return {
    take(organizationId) {
      const contender = known.get(organizationId) ?? newcomer(organizationId, bounds.get(organizationId));
      if (isAwaited || contender.isReady || refused.has(organizationId) || !isOpenTo(contender)) {
        refused.add(organizationId);
        return false;
      }
      held.set(organizationId, (held.get(organizationId) ?? 0) + 1);
      free -= 1;
      return true;
    },
    giveBack(organizationId) {
      const holds = held.get(organizationId) ?? 0;
      if (holds === 0 || refused.size > 0) return;
      held.set(organizationId, holds - 1);
      free += 1;
    },
  };
}

/**
 * An organization that held nothing when the fleet was read. If its own limit is unknown, it gets one turn until the
 * next refresh.
 */
function newcomer(organizationId: string, bound: number | null = 1): Contender {
  return { organizationId, weight: 1, maxConcurrency: bound, inFlight: 0, isReady: false };
}
