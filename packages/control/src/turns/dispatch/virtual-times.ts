// How much each organization has used of the fleet, in slot seconds divided by its weight. Callers pass the current
// time, in milliseconds of a clock that never goes back.

import type { Contender } from "./slot-limits.ts";

export interface VirtualTimes {
  /** Returns the organization's virtual time. The organization with the least gets the next slot. */
  of(organizationId: string): number;
  /**
   * Call it before slots are shared. Raises organizations that were not ready at the last call to the level of the
   * others, so that an organization cannot save up slots for a time in which it wanted none. `saves`: returns whether
   * an organization keeps its credit, because it is ready and below its limit.
   */
  settle(contenders: readonly Contender[], saves: (contender: Contender) => boolean, nowMs: number): void;
  /** Charges one slot when it is assigned, with the organization's usual turn time. */
  chargeAhead(contender: Contender): void;
  /** Removes the charge for slots that were assigned and not used. */
  undoCharge(organizationId: string, turns: number): void;
  /** Replaces the charge of ended turns, made when they were assigned, by their real time. */
  chargeEnded(
    ended: readonly { organizationId: string; weight: number; turns: number; seconds: number }[],
    nowMs: number,
  ): void;
  /** The number of organizations in memory. */
  readonly size: number;
}

interface Account {
  time: number;
  /** The organization's usual turn time, in seconds. */
  usual: number;
  /** Assigned turns whose end is not charged yet, and the virtual time charged for them. */
  turnsAhead: number;
  chargedAhead: number;
  /** The number of the last call of `settle` in which the organization was ready. */
  readyRound: number;
  activeAtMs: number;
}

/** The usual turn time that is assumed until the organization's first turn has ended, in seconds. */
const firstUsualSeconds = 1;
/** The weight of the newest turns in the average of turn times. */
const newestWeight = 0.2;
/** The surplus of an idle organization halves in this time. After an hour, its account is removed. In milliseconds. */
const debtHalvesMs = 600_000;
const removeAfterMs = 3_600_000;
const removeEveryMs = 60_000;
/**
 * After this time without running or waiting turns, all ended turns of an organization are charged. In milliseconds.
 */
const settledAfterMs = 5_000;

export function createVirtualTimes(): VirtualTimes {
  const accounts = new Map<string, Account>();
  let round = 0;
  let floor = 0;
  let removedAtMs = -Infinity;

  const accountOf = (organizationId: string, nowMs: number): Account => {
    const known = accounts.get(organizationId);
    if (known !== undefined) return known;
    const account = openAccount(floor, nowMs);
    accounts.set(organizationId, account);
    return account;
  };

  const removeIdle = (nowMs: number): void => {
    if (nowMs - removedAtMs < removeEveryMs) return;
    removedAtMs = nowMs;
    for (const [id, account] of accounts) if (nowMs - account.activeAtMs > removeAfterMs) accounts.delete(id);
  };

  return {
    of: (organizationId) => accounts.get(organizationId)?.time ?? floor,
    settle(contenders, saves, nowMs) {
      round += 1;
      const stayed: Account[] = [];
      const returned: Account[] = [];
      for (const contender of contenders) {
        const account = accountOf(contender.organizationId, nowMs);
        // All ended turns are charged by now. A charge that is left belongs to dispatches that no worker claimed.
        if (contender.inFlight === 0 && nowMs - account.activeAtMs > settledAfterMs)
          removeAheadCharge(account, Infinity);
        if (contender.isReady) (account.readyRound === round - 1 && saves(contender) ? stayed : returned).push(account);
        else account.activeAtMs = nowMs;
      }
      if (stayed.length > 0) floor = stayed.reduce((least, account) => Math.min(least, account.time), Infinity);
      for (const account of returned) {
        const debt = Math.max(0, account.time - floor) * 0.5 ** ((nowMs - account.activeAtMs) / debtHalvesMs);
        account.time = floor + debt;
      }
      for (const account of [...stayed, ...returned]) {
        account.readyRound = round;
        account.activeAtMs = nowMs;
      }
      removeIdle(nowMs);
    },
    chargeAhead({ organizationId, weight }) {
      const account = accounts.get(organizationId);
      if (account === undefined) return;
      account.time += account.usual / weight;
      account.chargedAhead += account.usual / weight;
      account.turnsAhead += 1;
    },
    undoCharge(organizationId, turns) {
      const account = accounts.get(organizationId);
      if (account !== undefined) removeAheadCharge(account, turns);
    },
    chargeEnded(ended, nowMs) {
      for (const { organizationId, weight, turns, seconds } of ended) {
        const account = accountOf(organizationId, nowMs);
        removeAheadCharge(account, turns);
        account.time += seconds / weight;
        account.usual += newestWeight * (seconds / turns - account.usual);
      }
    },
    get size() {
      return accounts.size;
    },
  };
}

function openAccount(time: number, nowMs: number): Account {
  return { time, usual: firstUsualSeconds, turnsAhead: 0, chargedAhead: 0, readyRound: -1, activeAtMs: nowMs };
}

/** Removes the charge for this many assigned turns. */
function removeAheadCharge(account: Account, turns: number): void {
  if (account.turnsAhead === 0) return;
  const settled = Math.min(turns, account.turnsAhead);
  const back = (account.chargedAhead * settled) / account.turnsAhead;
  account.time -= back;
  account.chargedAhead -= back;
  account.turnsAhead -= settled;
}
