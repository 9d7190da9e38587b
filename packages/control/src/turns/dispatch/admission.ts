// Decides whether the API dispatches a session itself that it just made ready, without waiting for the dispatcher.

import { dispatch, type Database } from "@dari/db";
import type { Admission, Notifier } from "@dari/domain";
import { createFleet, canTakeSlot, type Contender, type Fleet } from "./slot-limits.ts";

/** An older view is refreshed in the background, in milliseconds. */
const freshMs = 250;
/** The same after a refusal: the organizations that caused the refusal may no longer wait. */
const refusedFreshMs = 50;
/** An older view is not used, in milliseconds. */
const staleMs = 1_000;

/**
 * Keeps a view of the fleet that is at most a second old, and refreshes it in the background while it is used. Counts
 * slots that become free between refreshes. The view only decides whether the API or the dispatcher dispatches a
 * session: a wrong decision costs a short wait, never a turn.
 */
export function createAdmission(
  db: Database,
  options: { workerSeenWithinMs: number; notifier: Pick<Notifier, "subscribe"> },
): Admission {
  let view: FleetView | undefined;
  let isListening = false;
  // The last known limit of each organization: a refresh contains no organization that holds no slots.
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
      // Subscribes at the first call: workers have an admission too, but never call it.
      if (!isListening) options.notifier.subscribe("slot", undefined, (id) => view?.returnSlot(id));
      isListening = true;
      const age = performance.now() - readAt;
      if ((view === undefined || age > (wasRefused ? refusedFreshMs : freshMs)) && !reading) void refresh();
      const mayPass = view !== undefined && age <= staleMs && view.takeSlot(organizationId);
      wasRefused ||= !mayPass;
      return mayPass;
    },
  };
}

/** If this many organizations wait, only the dispatcher dispatches. */
const waitingMax = 200;
const closedView: FleetView = { takeSlot: () => false, returnSlot: () => undefined };

export interface FleetView {
  /** Takes a slot for the organization, unless other organizations wait for the slot. Returns whether it took one. */
  takeSlot(organizationId: string): boolean;
  /** Returns a slot of the organization. If any organization was refused, the dispatcher assigns the slot. */
  returnSlot(organizationId: string): void;
}

const rememberedMax = 10_000;

function remember(bounds: Map<string, number | null>, fleet: Fleet): void {
  if (bounds.size > rememberedMax) bounds.clear();
  for (const { organizationId, maxConcurrency } of fleet.contenders) bounds.set(organizationId, maxConcurrency);
}

/**
 * Returns a view of the fleet as it was read. The view subtracts slots that are taken later. `bounds`: limits of
 * organizations from earlier refreshes.
 */
export function createFleetView(fleet: Fleet, bounds: ReadonlyMap<string, number | null> = new Map()): FleetView {
  const held = new Map(fleet.contenders.map((contender) => [contender.organizationId, contender.inFlight]));
  const known = new Map(fleet.contenders.map((contender) => [contender.organizationId, contender]));
  let free = fleet.slots - fleet.contenders.reduce((sum, contender) => sum + contender.inFlight, 0);
  let { starts } = fleet;
  const isOpenTo = (contender: Contender): boolean =>
    canTakeSlot(fleet, contender, held.get(contender.organizationId) ?? 0, free);
  // An organization that waits only because of its own limit does not keep others from taking a slot.
  const isWaitedFor = fleet.contenders.some((contender) => contender.isReady && isOpenTo(contender));
  // Refused organizations wait for the dispatcher, which knows whose turn it is.
  const refused = new Set<string>();

  return {
    takeSlot(organizationId) {
      const contender = known.get(organizationId) ?? newcomer(organizationId, bounds.get(organizationId));
      const isRefused = isWaitedFor || contender.isReady || refused.has(organizationId);
      if (isRefused || starts <= 0 || !isOpenTo(contender)) {
        refused.add(organizationId);
        return false;
      }
      held.set(organizationId, (held.get(organizationId) ?? 0) + 1);
      free -= 1;
      starts -= 1;
      return true;
    },
    returnSlot(organizationId) {
      const holds = held.get(organizationId) ?? 0;
      if (holds === 0 || refused.size > 0) return;
      held.set(organizationId, holds - 1);
      free += 1;
      // A turn that has ended was claimed.
      starts += 1;
    },
  };
}

/**
 * Returns an organization that held no slots when the fleet was read. If its own limit is unknown, it gets one turn
 * until the next refresh.
 */
function newcomer(organizationId: string, bound: number | null = 1): Contender {
  return { organizationId, weight: 1, maxConcurrency: bound, inFlight: 0, isReady: false };
}
