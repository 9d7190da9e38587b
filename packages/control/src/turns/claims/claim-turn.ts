// How a worker gets a turn: by a job that names it, or by pulling a dispatched one.

import {
  dispatch,
  isDatabaseUnreachable,
  turns,
  retryThroughOutage,
  workers,
  type Claimant,
  type ClaimedTurn,
  type ClaimResult,
  type Database,
  type OrganizationShare,
} from "@dari/db";
import { limits, newId, type Log } from "@dari/domain";
import { dispatcherLead } from "../dispatch/dispatcher.ts";
import { pickBackgroundFirst } from "../dispatch/lanes.ts";
import { createFleet, canTakeSlot, workerSeenWithinMs, type Contender, type Fleet } from "../dispatch/slot-limits.ts";
import { claimRetry } from "./claim-retry.ts";

/** The result of a turn job. `stale`: there is nothing left to do for it. */
export type TurnClaim = Exclude<ClaimResult, { outcome: "due" | "yielded" }>;

/** For a worker that waits while the database is unreachable during its claim, until `signal` aborts. */
export interface ClaimWaitOptions {
  readonly log: Log;
  readonly signal: AbortSignal;
  /** The session to claim, if known in advance. */
  readonly sessionId?: string;
}

/**
 * Claims the session that a turn job names. Duplicate, late and forged jobs find nothing to claim. A retry that others
 * would wait for is dispatched again later, so its job ends.
 */
export async function claimTurn(
  db: Database,
  job: { sessionId: string; dispatchNumber: number },
  claimant: Claimant,
  waiting?: ClaimWaitOptions,
): Promise<TurnClaim> {
  const claim = async (attemptId: string, by: Claimant): Promise<ClaimResult> => {
    const first = await turns.claimIfDispatched(db, job, attemptId, by);
    return first.outcome === "due" ? claimRetry(db, job, first.organizationId, attemptId, by) : first;
  };
  const known = waiting === undefined ? undefined : { ...waiting, sessionId: job.sessionId };
  const result = await evenIfUnanswered(db, claimant, known, claim, (turn): ClaimResult => ({
    outcome: "claimed",
    turn,
  }));
  return result.outcome === "yielded" || result.outcome === "due" ? { outcome: "stale" } : result;
}

/**
 * Claims under the id of a new attempt. If the connection breaks before the reply, the claim may have been committed.
 * It is looked up by that id once the database is back, so that the turn does not wait for the lease to expire, or lose
 * an attempt in which nothing ran. `heldAs`: such a claim.
 */
async function evenIfUnanswered<T>(
  db: Database,
  claimant: Claimant,
  waiting: ClaimWaitOptions | undefined,
  claim: (attemptId: string, claimant: Claimant) => Promise<T>,
  heldAs: (turn: ClaimedTurn) => T,
): Promise<T> {
  const attemptId = newId("attempt");
  try {
    return await evenIfUnreadable(claimant, (by) => claim(attemptId, by));
  } catch (error) {
    if (waiting === undefined || !isDatabaseUnreachable(error)) throw error;
    const again = (): Promise<ClaimedTurn | undefined> =>
      evenIfUnreadable(claimant, (by) => turns.findHeldClaim(db, attemptId, by, waiting.sessionId));
    const turn = await retryThroughOutage(waiting, again, waiting.signal);
    if (turn === undefined) throw error;
    return heldAs(turn);
  }
}

/**
 * Claims. If the database answers with an error, claims again without the turn's details: if these are unreadable, the
 * turn fails under its claim, a bounded number of times. Otherwise the claim would be rolled back and tried forever.
 */
async function evenIfUnreadable<T>(claimant: Claimant, claim: (claimant: Claimant) => Promise<T>): Promise<T> {
  try {
    return await claim(claimant);
  } catch (error) {
    if (isDatabaseUnreachable(error)) throw error;
    return claim({ ...claimant, withoutDetails: true });
  }
}

/** Workers dispatch for themselves if no dispatcher has led for this long, in milliseconds. */
const leaderlessMs = 1_500;

/** Returns whether any process leads the dispatch. */
export function hasDispatchLeader(db: Database): Promise<boolean> {
  return workers.hasLeader(db, dispatcherLead, leaderlessMs);
}

/** Retries that one pull makes ready. */
const dueRetriesMax = 100;
/** Organizations that one pull chooses from. */
const choicesMax = 200;
/** Where the last pull of each database ended, so that the next pull continues with the following organizations. */
const looked = new WeakMap<Database, string>();

/**
 * Claims a dispatched turn without a queue. Due retries become ready. If no process leads the dispatch, dispatches for
 * the organizations that may take a slot, in random order, which is fair over time.
 */
export async function pullTurn(
  db: Database,
  claimant: Claimant,
  waiting?: ClaimWaitOptions,
): Promise<ClaimedTurn | undefined> {
  const turn = await claimNext(db, claimant, waiting);
  if (turn !== undefined) return turn;
  await dispatch.makeDueRetriesReady(db, dueRetriesMax);
  if (await hasDispatchLeader(db)) return undefined;
  const load = await dispatch.getFleetLoad(db, workerSeenWithinMs);
  const fleet = createFleet(load, await nextChoices(db));
  const chosen = chooseAnyOf(fleet, fleet.slots - load.inFlight);
  if (chosen === undefined) return undefined;
  const held = load.holders.find((holder) => holder.organizationId === chosen.organizationId);
  const background = pickBackgroundFirst(held ?? { inFlight: 0, background: 0 }, Math.random()) ? 1 : 0;
  const share = { organizationId: chosen.organizationId, count: 1, background };
  await dispatch.dispatchIfReady(db, [share], limits.dispatchTtlMs);
  return claimNext(db, claimant, waiting);
}

function claimNext(
  db: Database,
  claimant: Claimant,
  waiting: ClaimWaitOptions | undefined,
): Promise<ClaimedTurn | undefined> {
  const claim = (attemptId: string, by: Claimant): Promise<ClaimedTurn | undefined> =>
    turns.claimNextIfAny(db, attemptId, by);
  return evenIfUnanswered(db, claimant, waiting, claim, (turn) => turn);
}

/** Returns the organizations after the last ones, or from the beginning if there are none. */
async function nextChoices(db: Database): Promise<OrganizationShare[]> {
  const after = looked.get(db) ?? "";
  const next = await dispatch.listReadyOrganizations(db, { after, limit: choicesMax });
  const found =
    next.length > 0 || after === "" ? next : await dispatch.listReadyOrganizations(db, { limit: choicesMax });
  looked.set(db, found.length < choicesMax ? "" : (found.at(-1)?.organizationId ?? ""));
  return found;
}

function chooseAnyOf(fleet: Fleet, free: number): Contender | undefined {
  const ready = fleet.contenders.filter((one) => one.isReady && canTakeSlot(fleet, one, one.inFlight, free));
  return ready[Math.floor(Math.random() * ready.length)];
}
