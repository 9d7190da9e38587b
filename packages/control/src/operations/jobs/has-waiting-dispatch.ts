// Detects dispatched turns that no worker claims.

import { turnJobs, type Database } from "@dari/db";
import { limits } from "@dari/domain";

/** `waitedMs`: how long a turn has been available, less than a dispatch's lifetime. */
export function hasWaitingDispatch(db: Database, waitedMs: number): Promise<boolean> {
  return turnJobs.hasWaitingDispatch(db, { waitedMs, dispatchTtlMs: limits.dispatchTtlMs });
}
