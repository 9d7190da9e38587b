// Decides which organizations get the free slots: those with the least virtual time, within their limits. Its only
// effect is that it charges virtual times.

import { createMinHeap } from "./min-heap.ts";
import { canTakeSlot, type Contender, type Fleet } from "./slot-limits.ts";
import type { VirtualTimes } from "./virtual-times.ts";

export interface Share {
  readonly organizationId: string;
  readonly count: number;
}

interface Waiting {
  readonly contender: Contender;
  /** Slots that the organization holds, including those assigned so far. */
  held: number;
}

/**
 * Assigns free slots one by one, at most `limit` and `fleet.starts`. Each slot goes to the ready organization with the
 * least virtual time that may take a slot, and is charged with the organization's usual turn time. If virtual times are
 * equal, the organization that holds fewer slots for its weight is first.
 */
export function shareSlots(times: VirtualTimes, fleet: Fleet, limit: number, nowMs: number): Share[] {
  const inFlight = fleet.contenders.reduce((sum, contender) => sum + contender.inFlight, 0);
  let free = fleet.slots - inFlight;
  times.settle(fleet.contenders, (one) => canTakeSlot(fleet, one, one.inFlight, Infinity), nowMs);

  const ready = fleet.contenders.filter((contender) => contender.isReady);
  const waiting = createMinHeap<Waiting>(
    (a, b) => compare(times, a, b) < 0,
    ready.map((contender) => ({ contender, held: contender.inFlight })),
  );
  const counts = new Map<string, number>();
  for (let left = Math.min(limit, fleet.starts); left > 0 && free > 0;) {
    const next = waiting.pop();
    if (next === undefined) break;
    const { contender } = next;
    // An organization that may not take a slot now is dropped: `free` only falls and `held` only grows.
    if (!canTakeSlot(fleet, contender, next.held, free)) continue;
    times.chargeAhead(contender);
    next.held += 1;
    free -= 1;
    left -= 1;
    counts.set(contender.organizationId, (counts.get(contender.organizationId) ?? 0) + 1);
    waiting.push(next);
  }
  return [...counts].map(([organizationId, count]) => ({ organizationId, count }));
}

function compare(times: VirtualTimes, a: Waiting, b: Waiting): number {
  const difference = times.of(a.contender.organizationId) - times.of(b.contender.organizationId);
  return difference === 0 ? a.held / a.contender.weight - b.held / b.contender.weight : difference;
}
