// Detects dispatched turns that no worker claims.

import { turnJobs, type Database } from "@dari/db";
import { limits } from "@dari/domain";

/** Returns whether a dispatched turn has waited for `waitedMs`, which must be less than a dispatch's lifetime. */
export function hasWaitingDispatch(db: Database, waitedMs: number): Promise<boolean> {
  return turnJobs.hasWaitingDispatch(db, { waitedMs, dispatchTtlMs: limits.dispatchTtlMs });
}
