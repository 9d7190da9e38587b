// What each organization has had of the fleet, in slot seconds over its weight. The time of day comes from outside.

import type { Contender } from "./slot-limits.ts";

export interface VirtualTimes {
  /** The organization's virtual time: who has had less goes first. */
  of(organizationId: string): number;
  /**
   * Before slots are shared: brings those that were not ready at the last call up to the others, so that a late comer
   * neither starves nor catches up. `saves` says who keeps a credit: those that are ready and below their cap.
   */
  settle(contenders: readonly Contender[], saves: (contender: Contender) => boolean, nowMs: number): void;
  /** For one slot given: the organization's usual turn, ahead of what it will really take. */
  chargeAhead(contender: Contender): void;
  /** For slots that were given and not used after all: what was charged ahead for them. */
  takeBack(organizationId: string, turns: number): void;
  /** For turns that ended: what they took, in the place of what was charged ahead for as many. */
  chargeEnded(
    ended: readonly { organizationId: string; weight: number; turns: number; seconds: number }[],
    nowMs: number,
  ): void;
  /** How many organizations are remembered. */
  readonly size: number;
}

interface Account {
  time: number;
  /** Seconds of its usual turn. */
  usual: number;
  /** Turns charged ahead whose end was not charged yet, and virtual time charged for them. */
  turnsAhead: number;
  chargedAhead: number;
  /** The settling at which it was ready last. */
  readyRound: number;
  activeAtMs: number;
}

/** What an organization is charged for a turn until its first turn has ended. Seconds. */
const firstGuess = 1;
/** The weight of the newest turn in the average. */
const newest = 0.2;
/** An idle organization's debt halves in this time, and is forgotten with it after an hour. */
const debtHalvesMs = 600_000;
const forgetAfterMs = 3_600_000;
const forgetEveryMs = 60_000;
/** After so long without turns and without waiting, all ends have been charged. */
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
        // Whatever ended before has been charged by now: the rest are dispatches that no worker took.
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

/** Takes back what was charged ahead for so many turns. */
function giveBack(account: Account, turns: number): void {
  if (account.turnsAhead === 0) return;
  const settled = Math.min(turns, account.turnsAhead);
  const back = (account.chargedAhead * settled) / account.turnsAhead;
  account.time -= back;
  account.chargedAhead -= back;
  account.turnsAhead -= settled;
}
