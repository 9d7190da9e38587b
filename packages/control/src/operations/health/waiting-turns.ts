// Reads what waits for a slot, for the queue board, /metrics and `dari doctor`.

import type { Control } from "@dari/control/context";
import { fleet, health, type Database, type WaitingTurn } from "@dari/db";
import { isId, limits } from "@dari/domain";
import type { TurnQueue } from "@dari/queue";

/**
 * Returns turns by state. `waiting` counts the turns that are ready in PostgreSQL; the other states are jobs in Redis.
 * Jobs that Redis calls waiting are not counted: they have a slot, or a worker has their turn already.
 *
 * @throws the error of Redis if it cannot be reached.
 */
export async function countTurns(db: Database, queue: Pick<TurnQueue, "counts">): Promise<Record<string, number>> {
  const jobs = await queue.counts();
  const { ready } = await health.countSessionsBySchedule(db);
  return { ...jobs, waiting: ready };
}

export interface WaitingPage {
  readonly offset: number;
  readonly limit: number;
}

/** Returns one page of the turns that are ready in PostgreSQL, by organization and lane, the longest wait first. */
export function listWaitingTurns({ db }: Control, { offset, limit }: WaitingPage): Promise<WaitingTurn[]> {
  return fleet.listWaitingTurns(db, {
    offset: Math.min(offset, limits.boardOffsetMax),
    limit: Math.min(limit, limits.fleetRowsMax),
  });
}

/** Returns the turn of a message that is ready in PostgreSQL. */
export async function findWaitingTurn({ db }: Control, messageId: string): Promise<WaitingTurn | undefined> {
  return isId("message", messageId) ? fleet.findWaitingTurn(db, messageId) : undefined;
}
