// Whether the API may send a session it just made ready straight to a worker, past the dispatcher's tick.

import { dispatch, type Database } from "@dari/db";
import type { Admission } from "@dari/domain";
import { fleetOf, mayTakeSlot, type Contender, type Fleet } from "./room.ts";

const freshMs = 250;
const staleMs = 1_000;

/**
 * Keeps a view of the fleet that is at most a second old, refreshed in the background while it is asked for. The view
 * only decides who delivers: a wrong answer costs a short queue, never a turn.
 */
export function createAdmission(db: Database, options: { workerSeenWithinMs: number }): Admission {
  let view: View | undefined;
  // Bounds of organizations as they were last seen: one that holds nothing is in no reading.
  const bounds = new Map<string, number | null>();
  let readAt = 0;
  let reading = false;

  const refresh = async (): Promise<void> => {
    reading = true;
    try {
      const [load, ready] = await Promise.all([
        dispatch.getFleetLoad(db, options.workerSeenWithinMs),
        dispatch.listReadyOrganizations(db),
      ]);
      const fleet = fleetOf(load, ready);
      remember(bounds, fleet);
      view = createView(fleet, bounds);
      readAt = performance.now();
    } catch {
      view = undefined;
    } finally {
      reading = false;
    }
  };

  return {
    mayDispatch(organizationId) {
      const age = performance.now() - readAt;
      if ((view === undefined || age > freshMs) && !reading) void refresh();
      return view !== undefined && age <= staleMs && view.take(organizationId);
    },
  };
}

export interface View {
  /** Takes a slot for the organization, if it may have one before anybody who waits. */
  take(organizationId: string): boolean;
}

const rememberedMax = 10_000;

function remember(bounds: Map<string, number | null>, fleet: Fleet): void {
  if (bounds.size > rememberedMax) bounds.clear();
  for (const { organizationId, maxConcurrency } of fleet.contenders) bounds.set(organizationId, maxConcurrency);
}

/** The fleet as it was read, less what was taken since. `bounds`: of organizations seen in earlier readings. */
export function createView(fleet: Fleet, bounds: ReadonlyMap<string, number | null> = new Map()): View {
  const held = new Map(fleet.contenders.map((contender) => [contender.organizationId, contender.inFlight]));
  const known = new Map(fleet.contenders.map((contender) => [contender.organizationId, contender]));
  let free = fleet.slots - fleet.contenders.reduce((sum, contender) => sum + contender.inFlight, 0);
  const isOpenTo = (contender: Contender): boolean =>
    mayTakeSlot(fleet, contender, held.get(contender.organizationId) ?? 0, free);
  // Who waits because of its own cap is passed by nobody.
  const isAwaited = fleet.contenders.some((contender) => contender.isReady && isOpenTo(contender));

  return {
    take(organizationId) {
      const contender = known.get(organizationId) ?? newcomer(organizationId, bounds.get(organizationId));
      if (isAwaited || contender.isReady || !isOpenTo(contender)) return false;
      held.set(organizationId, (held.get(organizationId) ?? 0) + 1);
      free -= 1;
      return true;
    },
  };
}

/** Nothing in flight when the fleet was read. While its own bound is unknown: one turn until the next reading. */
function newcomer(organizationId: string, bound: number | null = 1): Contender {
  return { organizationId, weight: 1, maxConcurrency: bound, inFlight: 0, isReady: false };
}
