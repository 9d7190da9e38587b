// Decides whether a due retry continues at once, or waits for the dispatcher.

import {
  withinTransaction,
  dispatch,
  turns,
  withTransaction,
  type Claimant,
  type ClaimResult,
  type Database,
} from "@dari/db";
import { canTakeSlot, countOpenings, createFleet, workerSeenWithinMs } from "../dispatch/slot-limits.ts";

/**
 * Claims a due retry in the job that waited for it, if no session waits for a slot and the organization may take a
 * slot. Otherwise the session becomes `ready`, at the place of its acceptance. A lock decides one retry at a time, so
 * that several together cannot exceed a limit. A retry that finds the lock taken becomes `ready`.
 */
export function claimRetry(
  db: Database,
  job: { sessionId: string; dispatchNumber: number },
  organizationId: string,
  attemptId: string,
  claimant: Claimant,
): Promise<ClaimResult> {
  return withTransaction(db, async (tx) => {
    const bound = withinTransaction(db, tx);
    const judgement = (await canContinue(bound, organizationId)) ? "take" : "yield";
    return turns.claimDueRetry(bound, job, attemptId, claimant, judgement);
  });
}

async function canContinue(db: Database, organizationId: string): Promise<boolean> {
  if (!(await dispatch.canRetryBypassDispatcher(db))) return false;
  const shares = await dispatch.listShares(db, [organizationId]);
  const load = await dispatch.getFleetLoad(db, workerSeenWithinMs);
  const fleet = createFleet(load, shares);
  const contender = fleet.contenders.find((one) => one.organizationId === organizationId);
  if (contender === undefined) return false;
  return canTakeSlot(fleet, contender, contender.inFlight, countOpenings(fleet));
}
