// Claims a turn for a worker: the turn that a job names, or any dispatched turn.

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
import { pickBackgroundFirst } from "../dispatch/lane-shares.ts";
import { createFleet, canTakeSlot, workerSeenWithinMs, type Contender, type Fleet } from "../dispatch/slot-limits.ts";
import { claimRetry } from "./claim-retry.ts";

/** The result of a turn job. `stale`: the job names no turn that can be claimed now. */
export type TurnClaim = Exclude<ClaimResult, { outcome: "due" | "yielded" }>;

/** Makes a claim wait while the database is unreachable, until `signal` aborts. */
export interface ClaimWaitOptions {
  readonly log: Log;
  readonly signal: AbortSignal;
  /** The session to claim, if known in advance. */
  readonly sessionId?: string;
}

/**
 * Claims the session that a turn job names. Duplicate, late and forged jobs find nothing to claim. If other sessions
 * wait for a slot, a due retry does not continue in this job: the session becomes ready, and the dispatcher assigns it
 * a slot.
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
  const result = await claimDespiteLostReply(db, claimant, known, claim, (turn): ClaimResult => ({
    outcome: "claimed",
    turn,
  }));
  return result.outcome === "yielded" || result.outcome === "due" ? { outcome: "stale" } : result;
}

/**
 * Claims under the id of a new attempt. If the connection breaks before the reply, the claim may have been committed.
 * Once the database is back, looks up the claim by the attempt's id. Otherwise the turn would wait until the lease
 * expires, and could lose an attempt in which nothing ran. `toResult`: converts a claim that was found in this way.
 */
async function claimDespiteLostReply<T>(
  db: Database,
  claimant: Claimant,
  waiting: ClaimWaitOptions | undefined,
  claim: (attemptId: string, claimant: Claimant) => Promise<T>,
  toResult: (turn: ClaimedTurn) => T,
): Promise<T> {
  const attemptId = newId("attempt");
  try {
    return await claimDespiteUnreadableDetails(claimant, (by) => claim(attemptId, by));
  } catch (error) {
    if (waiting === undefined || !isDatabaseUnreachable(error)) throw error;
    const again = (): Promise<ClaimedTurn | undefined> =>
      claimDespiteUnreadableDetails(claimant, (by) => turns.findHeldClaim(db, attemptId, by, waiting.sessionId));
    const turn = await retryThroughOutage(waiting, again, waiting.signal);
    if (turn === undefined) throw error;
    return toResult(turn);
  }
}

/**
 * Claims. If the database answers with an error, claims again without the turn's details. If the details are
 * unreadable, the turn then fails under this claim, a limited number of times. Without the second claim, the database
 * would roll back each claim, and workers would retry forever.
 */
async function claimDespiteUnreadableDetails<T>(
  claimant: Claimant,
  claim: (claimant: Claimant) => Promise<T>,
): Promise<T> {
  try {
    return await claim(claimant);
  } catch (error) {
    if (isDatabaseUnreachable(error)) throw error;
    return claim({ ...claimant, withoutDetails: true });
  }
}

/** Workers dispatch for themselves if no dispatcher has led for this long, in milliseconds. */
export const leaderlessMs = 1_500;

/** Returns whether any process leads the dispatch. */
function hasDispatchLeader(db: Database): Promise<boolean> {
  return workers.hasLeader(db, dispatcherLead, leaderlessMs);
}

/** Maximum number of due retries that one pull makes ready. */
const dueRetriesMax = 100;
/** Maximum number of organizations that one pull chooses from. */
const candidatesMax = 200;
/**
 * The last organization that the previous pull of each database considered. The next pull continues with the
 * organizations after it.
 */
const lastPulledOrganization = new WeakMap<Database, string>();

/**
 * Claims a dispatched turn without a queue. Makes due retries ready. If no process leads the dispatch, dispatches one
 * session itself, of a random organization that may take a slot. Random choices are fair over time.
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
  const fleet = createFleet(load, await nextCandidates(db));
  const chosen = chooseRandom(fleet, fleet.slots - load.inFlight);
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
  return claimDespiteLostReply(db, claimant, waiting, claim, (turn) => turn);
}

/**
 * Returns the ready organizations after the last pulled one. At the end of the list, starts again from its beginning.
 */
async function nextCandidates(db: Database): Promise<OrganizationShare[]> {
  const after = lastPulledOrganization.get(db) ?? "";
  const next = await dispatch.listReadyOrganizations(db, { after, limit: candidatesMax });
  const found =
    next.length > 0 || after === "" ? next : await dispatch.listReadyOrganizations(db, { limit: candidatesMax });
  lastPulledOrganization.set(db, found.length < candidatesMax ? "" : (found.at(-1)?.organizationId ?? ""));
  return found;
}

function chooseRandom(fleet: Fleet, free: number): Contender | undefined {
  const ready = fleet.contenders.filter((one) => one.isReady && canTakeSlot(fleet, one, one.inFlight, free));
  return ready[Math.floor(Math.random() * ready.length)];
}
