// Whether the API may send a session it just made ready straight to a worker, past the dispatcher's tick.

import { dispatch, type Database } from "@dari/db";
import type { Admission, Notifier } from "@dari/domain";
import { fleetOf, mayTakeSlot, type Contender, type Fleet } from "./slot-limits.ts";

const freshMs = 250;
/** Once somebody was refused: so that those who come after the wait is over do not join it. */
const refusedFreshMs = 50;
const staleMs = 1_000;

/**
 * Keeps a view of the fleet that is at most a second old, refreshed in the background while it is asked for; between
 * readings, slots that come free are counted back. The view only decides who delivers: a wrong answer costs a short
 * queue, never a turn.
 */
export function createAdmission(
  db: Database,
  options: { workerSeenWithinMs: number; notifier: Pick<Notifier, "subscribe"> },
): Admission {
  let view: View | undefined;
  let isListening = false;
  // Bounds of organizations as they were last seen: one that holds nothing is in no reading.
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
      const fleet = fleetOf(load, waiting);
      remember(bounds, fleet);
      view = ready.length < waitingMax ? createView(fleet, bounds) : closedView;
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
      // Workers have an admission as well, and ask nothing of it.
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

/** Where so many organizations wait, nothing passes the dispatcher. */
const waitingMax = 200;
const closedView: View = { take: () => false, giveBack: () => undefined };

export interface View {
  /** Takes a slot for the organization, if it may have one before anybody who waits. */
  take(organizationId: string): boolean;
  /** A slot of the organization's came free. It is kept for those that were refused, if there are any. */
  giveBack(organizationId: string): void;
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
  // They wait for the dispatcher from now on, which knows whose turn it is.
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

/** Nothing in flight when the fleet was read. While its own bound is unknown: one turn until the next reading. */
function newcomer(organizationId: string, bound: number | null = 1): Contender {
  return { organizationId, weight: 1, maxConcurrency: bound, inFlight: 0, isReady: false };
}
