// Computes how many slots one organization may hold: its limit, and the slots that are reserved for organizations that
// hold none.

/** An organization that wants slots or holds some. */
export interface Contender {
  readonly organizationId: string;
  /** The organization's share relative to other waiting organizations. */
  readonly weight: number;
  /** Maximum number of concurrent turns; null: the default. */
  readonly maxConcurrency: number | null;
  /** Slots that the organization holds. */
  readonly inFlight: number;
  /** Whether the organization has a session that waits for dispatch. */
  readonly isReady: boolean;
}

export interface Fleet {
  readonly slots: number;
  /** How many more turns the workers can start now. Negative while more wait for their worker. */
  readonly starts: number;
  /** Maximum number of concurrent turns of one organization, because processors of workers are busy. */
  readonly organizationMax: number;
  /** Whether the installation has several organizations. With one organization, no slots are reserved. */
  readonly isShared: boolean;
  readonly contenders: readonly Contender[];
}

/** Workers unseen for longer than this offer no slots, in milliseconds. */
export const workerSeenWithinMs = 6_000;

/** The part of the slots that an organization without its own limit can hold while others wait or run. */
const defaultCap = 0.8;
const reservedPart = 0.1;
/** A smaller fleet reserves no slots. */
const reserveFromSlots = 4;

/**
 * Returns how many slots only organizations without a running turn can take, so that a first message finds a free slot.
 */
export function countReservedSlots(fleet: Pick<Fleet, "slots" | "isShared">): number {
  if (!fleet.isShared || fleet.slots < reserveFromSlots) return 0;
  return Math.max(1, Math.floor(fleet.slots * reservedPart));
}

/**
 * Returns how many concurrent turns the organization can have: its own limit. Without one, 80 % of the slots while
 * other organizations want or hold slots, otherwise all slots. Fewer while processors are busy.
 */
export function getConcurrencyCap(fleet: Fleet, contender: Contender): number {
  const isAlone = fleet.contenders.every((other) => other.organizationId === contender.organizationId);
  const usual = isAlone ? fleet.slots : Math.max(1, Math.floor(fleet.slots * defaultCap));
  return Math.min(contender.maxConcurrency ?? usual, fleet.organizationMax);
}

/** Returns whether an organization that holds `held` slots may take one of the `free` ones. */
export function canTakeSlot(fleet: Fleet, contender: Contender, held: number, free: number): boolean {
  if (free <= 0 || held >= getConcurrencyCap(fleet, contender)) return false;
  return held === 0 || free > countReservedSlots(fleet);
}

/** Combines the organizations that hold slots with those that are ready. */
export function createFleet(
  load: Omit<Fleet, "contenders"> & { readonly holders: readonly Omit<Contender, "isReady">[] },
  ready: readonly Omit<Contender, "isReady" | "inFlight">[],
): Fleet {
  const contenders = new Map<string, Contender>();
  for (const holder of load.holders) contenders.set(holder.organizationId, { ...holder, isReady: false });
  for (const one of ready) {
    const inFlight = contenders.get(one.organizationId)?.inFlight ?? 0;
    contenders.set(one.organizationId, { ...one, inFlight, isReady: true });
  }
  const { slots, starts, organizationMax, isShared } = load;
  return { slots, starts, organizationMax, isShared, contenders: [...contenders.values()] };
}
