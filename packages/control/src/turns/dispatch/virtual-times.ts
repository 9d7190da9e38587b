// How much each organization has used of the fleet, in slot seconds divided by its weight. The caller passes the time
// of day.

import type { Contender } from "./slot-limits.ts";

export interface VirtualTimes {
  /** Returns the organization's virtual time. The least goes first. */
  of(organizationId: string): number;
  /**
   * Called before slots are shared: raises organizations that were not ready at the last call to the level of the
   * others, so that a newcomer neither starves nor catches up. `saves`: those that keep a credit, because they are
   * ready and below their limit.
   */
  settle(contenders: readonly Contender[], saves: (contender: Contender) => boolean, nowMs: number): void;
  /** Charges one slot when it is assigned, by the organization's usual turn time. */
  chargeAhead(contender: Contender): void;
  /** Removes the charge for slots that were assigned and not used. */
  takeBack(organizationId: string, turns: number): void;
  /** Charges ended turns by their real time, in place of what was charged when they were assigned. */
  chargeEnded(
    ended: readonly { organizationId: string; weight: number; turns: number; seconds: number }[],
    nowMs: number,
  ): void;
  /** The number of organizations remembered. */
  readonly size: number;
}

interface Account {
  time: number;
  /** Seconds of its usual turn. */
  usual: number;
  /** Assigned turns whose end is not charged yet, and the virtual time charged for them. */
  turnsAhead: number;
  chargedAhead: number;
  /** The number of the last call of `settle` in which it was ready. */
  readyRound: number;
  activeAtMs: number;
}

/** The charge for a turn until the organization's first turn has ended, in seconds. */
const firstGuess = 1;
/** The weight of the newest turn in the average. */
const newest = 0.2;
/** The surplus of an idle organization halves in this time, and is forgotten after an hour. */
const debtHalvesMs = 600_000;
const forgetAfterMs = 3_600_000;
const forgetEveryMs = 60_000;
/** After this time without turns and without waiting, all ends are charged. */
const settledAfterMs = 5_000;

export function createVirtualTimes(): VirtualTimes {
  const accounts = new Map<string, Account>();
  let round = 0;
  let floor = 0;
  let forgotAtMs = -Infinity;

  const accountOf = (organizationId: string, nowMs: number): Account => {
    const known = accounts.get(organizationId);
    if (known !== undefined) return known;
    const account = openAccount(floor, nowMs);
    accounts.set(organizationId, account);
    return account;
  };

  const forget = (nowMs: number): void => {
    if (nowMs - forgotAtMs < forgetEveryMs) return;
    forgotAtMs = nowMs;
    for (const [id, account] of accounts) if (nowMs - account.activeAtMs > forgetAfterMs) accounts.delete(id);
  };

  return {
    of: (organizationId) => accounts.get(organizationId)?.time ?? floor,
    settle(contenders, saves, nowMs) {
      round += 1;
      const stayed: Account[] = [];
      const came: Account[] = [];
      for (const contender of contenders) {
        const account = accountOf(contender.organizationId, nowMs);
        // All earlier ends are charged by now. The rest are dispatches that no worker claimed.
        if (contender.inFlight === 0 && nowMs - account.activeAtMs > settledAfterMs) giveBack(account, Infinity);
        if (contender.isReady) (account.readyRound === round - 1 && saves(contender) ? stayed : came).push(account);
        else account.activeAtMs = nowMs;
      }
      if (stayed.length > 0) floor = stayed.reduce((least, account) => Math.min(least, account.time), Infinity);
      for (const account of came) {
        const debt = Math.max(0, account.time - floor) * 0.5 ** ((nowMs - account.activeAtMs) / debtHalvesMs);
        account.time = floor + debt;
      }
      for (const account of [...stayed, ...came]) {
        account.readyRound = round;
        account.activeAtMs = nowMs;
      }
      forget(nowMs);
    },
    chargeAhead({ organizationId, weight }) {
      const account = accounts.get(organizationId);
      if (account === undefined) return;
      account.time += account.usual / weight;
      account.chargedAhead += account.usual / weight;
      account.turnsAhead += 1;
    },
    takeBack(organizationId, turns) {
      const account = accounts.get(organizationId);
      if (account !== undefined) giveBack(account, turns);
    },
    chargeEnded(ended, nowMs) {
      for (const { organizationId, weight, turns, seconds } of ended) {
        const account = accountOf(organizationId, nowMs);
        giveBack(account, turns);
        account.time += seconds / weight;
        account.usual += newest * (seconds / turns - account.usual);
      }
    },
    get size() {
      return accounts.size;
    },
  };
}

function openAccount(time: number, nowMs: number): Account {
  return { time, usual: firstGuess, turnsAhead: 0, chargedAhead: 0, readyRound: -1, activeAtMs: nowMs };
}

/** Removes the charge for this many assigned turns. */
function giveBack(account: Account, turns: number): void {
  if (account.turnsAhead === 0) return;
  const settled = Math.min(turns, account.turnsAhead);
  const back = (account.chargedAhead * settled) / account.turnsAhead;
  account.time -= back;
  account.chargedAhead -= back;
  account.turnsAhead -= settled;
}
