// Whether a retry that is due goes on at once, or waits for the dispatcher like everything else.

import { boundTo, dispatch, turns, withTransaction, type Claimant, type ClaimResult, type Database } from "@dari/db";
import { fleetOf, mayTakeSlot, workerSeenWithinMs } from "../dispatch/slot-limits.ts";

/**
 * Claims a retry that is due, in the job that has waited for it, while nobody waits for a slot and its organization
 * may take one; otherwise gives it back to `ready`, in the place of its acceptance. One retry at a time is judged, so
 * that many that are due at once cannot go over a bound together; those that meet another one become ready.
 */
export function claimRetry(
  db: Database,
  job: { sessionId: string; dispatchNumber: number },
  organizationId: string,
  attemptId: string,
  claimant: Claimant,
): Promise<ClaimResult> {
  return withTransaction(db, async (tx) => {
    const bound = boundTo(db, tx);
    const judgement = (await mayGoOn(bound, organizationId)) ? "take" : "yield";
    return turns.claimDueRetry(bound, job, attemptId, claimant, judgement);
  });
}

async function mayGoOn(db: Database, organizationId: string): Promise<boolean> {
  if (!(await dispatch.mayPassDispatcher(db))) return false;
  const shares = await dispatch.listShares(db, [organizationId]);
  const load = await dispatch.getFleetLoad(db, workerSeenWithinMs);
  const fleet = fleetOf(load, shares);
  const contender = fleet.contenders.find((one) => one.organizationId === organizationId);
  if (contender === undefined) return false;
  return mayTakeSlot(fleet, contender, contender.inFlight, fleet.slots - load.inFlight);
}
