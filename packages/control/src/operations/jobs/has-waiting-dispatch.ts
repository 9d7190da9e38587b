// Whether turns stand dispatched that nobody takes.

import { turnJobs, type Database } from "@dari/db";
import { limits } from "@dari/domain";

/** `waitedMs`: how long a turn has been for anybody to take, less than a dispatch may last. */
export function hasWaitingDispatch(db: Database, waitedMs: number): Promise<boolean> {
  return turnJobs.hasWaitingDispatch(db, { waitedMs, dispatchTtlMs: limits.dispatchTtlMs });
}
