// What the frequent passes of a worker look for.

import { readWorkerWork, type Database, type WorkerWork } from "@dari/db";
import { createSharedLook, limits, type SharedLook } from "@dari/domain";
import { dispatcherLead } from "../dispatch/dispatcher.ts";
import { leaderlessMs } from "./claim-turn.ts";

/** A turn that waits this long despite free slots and a working queue is overdue, in milliseconds. */
const waitedMs = 1_000;

export type WorkerLook = SharedLook<WorkerWork>;

/** Returns the look that the passes of one worker share. */
export function createWorkerLook(db: Database): WorkerLook {
  return createSharedLook(() =>
    readWorkerWork(db, {
      lead: dispatcherLead,
      leadTtlMs: leaderlessMs,
      expiresWithinMs: limits.dispatchTtlMs - waitedMs,
      buildLossesMax: limits.buildLossesMax,
    }),
  );
}
