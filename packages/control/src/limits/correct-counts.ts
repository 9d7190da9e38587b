// Holds what organizations with a bound are counted to keep against what they keep.

import { correctCounts, type Database } from "@dari/db";
import type { Log } from "@dari/domain";

/** Each count is looked at so often. Milliseconds. */
const everyMs = 3_600_000;
const perPass = 10;

/** One bounded pass. Answers how many counts were begun or put right; each of the latter is a fault, and is logged. */
export async function correctKeptCounts({ db, log }: { readonly db: Database; readonly log: Log }): Promise<number> {
  const corrected = await correctCounts(db, everyMs, perPass);
  for (const { organizationId, kind, was, now } of corrected) {
    if (was !== null) log.warn({ org: organizationId, kind, was, now }, "quota.count_corrected");
  }
  return corrected.length;
}
