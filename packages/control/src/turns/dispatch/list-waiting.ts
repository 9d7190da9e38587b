// Finds the organizations that wait for a worker's memory.

import { dispatch, type Database } from "@dari/db";
import { canTakeSlot, createFleet, workerSeenWithinMs } from "./slot-limits.ts";

const waitingMax = 200;

/**
 * Returns organizations with a turn that would start if a worker had a free slot, at most 200. Organizations that wait
 * only because of their own limits are absent.
 */
export async function listWaitingOrganizations(db: Database): Promise<readonly string[]> {
  const [load, ready] = await Promise.all([
    dispatch.getFleetLoad(db, workerSeenWithinMs),
    dispatch.listReadyBelowCap(db, waitingMax),
  ]);
  const waiting = ready.filter(({ canBegin }) => canBegin);
  const fleet = createFleet(load, waiting);
  const free = { free: Infinity, starts: Infinity };
  const blocked = fleet.contenders.filter((one) => one.isReady && canTakeSlot(fleet, one, one.inFlight, free));
  return blocked.map(({ organizationId }) => organizationId);
}
