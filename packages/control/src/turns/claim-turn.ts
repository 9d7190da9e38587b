// How a worker gets a turn: by a job that names it, or by pulling what is dispatched.

import { dispatch, turns, workers, type Claimant, type ClaimedTurn, type ClaimResult, type Database } from "@dari/db";
import { limits, newId } from "@dari/domain";
import { dispatcherLead } from "../dispatch/dispatcher.ts";
import { fleetOf, mayTakeSlot, workerSeenWithinMs } from "../dispatch/room.ts";

/** Claims the session that a turn job names. Duplicate, late and forged jobs find nothing to claim. */
export function claimTurn(
  db: Database,
  job: { sessionId: string; dispatchNumber: number },
  claimant: Claimant,
): Promise<ClaimResult> {
  return turns.claimIfDispatched(db, job, newId("attempt"), claimant);
}

/** After so long without a leading dispatcher, workers dispatch for themselves. Milliseconds. */
const leaderlessMs = 1_500;

/** Whether some process leads the dispatch. */
export function isDispatchLed(db: Database): Promise<boolean> {
  return workers.hasLeader(db, dispatcherLead, leaderlessMs);
}

/**
 * Claims without a queue: what is dispatched or due for a retry. When nobody leads the dispatch, dispatches for the
 * organizations that may take a slot in random order, which is fair over time and needs no memory.
 */
export async function pullTurn(db: Database, claimant: Claimant): Promise<ClaimedTurn | undefined> {
  const turn = await turns.claimNextIfAny(db, newId("attempt"), claimant);
  if (turn !== undefined) return turn;
  if (await isDispatchLed(db)) return undefined;
  const load = await dispatch.getFleetLoad(db, workerSeenWithinMs);
  const fleet = fleetOf(load, await dispatch.listReadyOrganizations(db));
  const free = fleet.slots - load.inFlight;
  const ready = fleet.contenders.filter((one) => one.isReady && mayTakeSlot(fleet, one, one.inFlight, free));
  const chosen = ready[Math.floor(Math.random() * ready.length)];
  if (chosen === undefined) return undefined;
  const share = { organizationId: chosen.organizationId, count: 1 };
  await dispatch.dispatchIfReady(db, [share], limits.dispatchTtlMs);
  return turns.claimNextIfAny(db, newId("attempt"), claimant);
}
