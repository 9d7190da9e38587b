// What organizations that were deleted own besides sessions goes, in bounded pieces.

import { retention, type Database } from "@dari/db";
import type { Log } from "@dari/domain";

/** How much of one organization one pass deletes. The next pass continues. */
const piecesMax = 100;

/**
 * One pass over those deleted `afterMs` ago. Answers how many own nothing any more. One that fails is logged, holds up
 * no other, and is tried again by the next pass.
 */
export async function emptyDeletedOrganizations(
  { db, log }: { readonly db: Database; readonly log: Log },
  afterMs: number,
  limit: number,
): Promise<number> {
  let emptied = 0;
  for (const id of await retention.listDeletedOrganizations(db, afterMs, limit)) {
    try {
      if (await retention.emptyDeletedOrganization(db, id, piecesMax)) emptied += 1;
    } catch (err) {
      log.warn({ err, org: id }, "retention.organization_not_emptied");
    }
  }
  return emptied;
}
