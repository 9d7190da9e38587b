// How many of the turns that an organization is given go to its background lane while its interactive lane waits too.
// Pure but for the credits it keeps.

import { limits } from "@dari/domain";

const share = 1 / limits.backgroundOneIn;

export interface LaneShares {
  /** How many of `count` free slots background work gets before interactive work. */
  backgroundFirst(organizationId: string, count: number, held: HeldSlots): number;
  /** Notes turns that were dispatched. */
  record(organizationId: string, given: { readonly interactive: number; readonly background: number }): void;
}

/** Slots that an organization holds, and how many of them for background work. */
export interface HeldSlots {
  readonly inFlight: number;
  readonly background: number;
}

/** Organizations remembered; past it all begin again without a credit. */
const rememberedMax = 10_000;

/**
 * Background work is due one in `limits.backgroundOneIn` turns: each turn of the organization adds that part to a
 * credit, and each background turn takes one from it. A credit is one turn at most, so that background work which has
 * just come does not catch up on what it never waited for. Long background turns are bounded as well: while they hold
 * their share of the organization's slots, or the one slot that they may always have, none is due.
 */
export function createLaneShares(): LaneShares {
  const credits = new Map<string, number>();
  return {
    backgroundFirst(organizationId, count, held) {
      const byTurns = Math.floor((credits.get(organizationId) ?? 0) + share * count + rounding);
      return Math.max(0, Math.min(byTurns, backgroundSlotsLeft(count, held), count));
    },
    record(organizationId, { interactive, background }) {
      const credit = (credits.get(organizationId) ?? 0) + share * (interactive + background) - background;
      if (credits.size > rememberedMax) credits.clear();
      if (credit <= 0) credits.delete(organizationId);
      else credits.set(organizationId, Math.min(1, credit));
    },
  };
}

/** Five times a fifth is one. */
const rounding = 1e-9;

/** Slots that background work may take before interactive work when the organization is given `count` more. */
function backgroundSlotsLeft(count: number, { inFlight, background }: HeldSlots): number {
  return Math.max(1, Math.floor(share * (inFlight + count))) - background;
}

/**
 * Decides for one slot, like `backgroundFirst`, without a memory of earlier turns: at random, which gives the same
 * share over time. `chance`: a random number from 0 to 1.
 */
export function isBackgroundFirst(held: HeldSlots, chance: number): boolean {
  return chance < share && backgroundSlotsLeft(1, held) > 0;
}
