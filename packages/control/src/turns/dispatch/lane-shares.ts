// Decides how many of an organization's turns go to its background lane while its interactive lane waits too.

import { limits } from "@dari/domain";

const share = 1 / limits.backgroundOneIn;

export interface LaneShares {
  /** Returns how many of `count` free slots background work gets before interactive work. */
  backgroundFirst(organizationId: string, count: number, held: HeldSlots): number;
  /** Records dispatched turns. */
  record(organizationId: string, given: { readonly interactive: number; readonly background: number }): void;
}

/** Slots that an organization holds, in total and for background work. */
export interface HeldSlots {
  readonly inFlight: number;
  readonly background: number;
}

/** Maximum number of organizations with a credit. Above it, all credits are reset. */
const rememberedMax = 10_000;

/**
 * Gives background work one in `limits.backgroundOneIn` turns. Each turn of the organization adds that part to a
 * credit, and each background turn subtracts one. The credit is at most one turn, so background work gets nothing for a
 * time in which none waited. Long background turns are limited too: while they hold their share of the organization's
 * slots (at least one slot), no background turn is due.
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

/** Compensates for rounding: five times 0.2 must count as one. */
const rounding = 1e-9;

/** Returns how many slots background work can take before interactive work if the organization gets `count` more. */
function backgroundSlotsLeft(count: number, { inFlight, background }: HeldSlots): number {
  return Math.max(1, Math.floor(share * (inFlight + count))) - background;
}

/**
 * Decides for one slot, like `backgroundFirst`, but without credits: at random, which gives the same share over time.
 * `chance`: a random number from 0 to 1.
 */
export function pickBackgroundFirst(held: HeldSlots, chance: number): boolean {
  return chance < share && backgroundSlotsLeft(1, held) > 0;
}
