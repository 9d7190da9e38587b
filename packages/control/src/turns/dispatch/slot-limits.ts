// What one organization may hold of the fleet: its cap, and the slots kept for those that hold none. Pure.

/** An organization that wants slots or holds some. */
export interface Contender {
  readonly organizationId: string;
  /** Its part beside others that wait, relative to theirs. */
  readonly weight: number;
  /** Turns at once at most; null: the default cap. */
  readonly maxConcurrency: number | null;
  readonly inFlight: number;
  /** Whether a session of it waits for dispatch. */
  readonly isReady: boolean;
}

export interface Fleet {
  readonly slots: number;
  /** Whether the installation has more than one organization; one alone has no slots kept from it. */
  readonly isShared: boolean;
  readonly contenders: readonly Contender[];
}

/** Workers unseen for longer than this offer no slots. Milliseconds. */
export const workerSeenWithinMs = 6_000;

const defaultCap = 0.8;
const reservedPart = 0.1;
const reserveFromSlots = 4;

/** Slots that only organizations with nothing in flight may take, so that a first message finds one free. */
export function reservedSlots(fleet: Pick<Fleet, "slots" | "isShared">): number {
  if (!fleet.isShared || fleet.slots < reserveFromSlots) return 0;
  return Math.max(1, Math.floor(fleet.slots * reservedPart));
}

/** Turns at once: its own bound, else most of the slots while others want or hold some, else all. */
export function capOf(fleet: Fleet, contender: Contender): number {
  if (contender.maxConcurrency !== null) return contender.maxConcurrency;
  const isAlone = fleet.contenders.every((other) => other.organizationId === contender.organizationId);
  return isAlone ? fleet.slots : Math.max(1, Math.floor(fleet.slots * defaultCap));
}

/** Whether an organization that holds `held` slots may take one of the `free` ones. */
export function mayTakeSlot(fleet: Fleet, contender: Contender, held: number, free: number): boolean {
  if (free <= 0 || held >= capOf(fleet, contender)) return false;
  return held === 0 || free > reservedSlots(fleet);
}

/** One view of those that hold slots and those that are ready. */
export function fleetOf(
  load: { slots: number; isShared: boolean; holders: readonly Omit<Contender, "isReady">[] },
  ready: readonly Omit<Contender, "isReady" | "inFlight">[],
): Fleet {
  const contenders = new Map<string, Contender>();
  for (const holder of load.holders) contenders.set(holder.organizationId, { ...holder, isReady: false });
  for (const one of ready) {
    const inFlight = contenders.get(one.organizationId)?.inFlight ?? 0;
    contenders.set(one.organizationId, { ...one, inFlight, isReady: true });
  }
  return { slots: load.slots, isShared: load.isShared, contenders: [...contenders.values()] };
}
