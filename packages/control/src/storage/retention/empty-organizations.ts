// Deletes what deleted organizations own besides sessions, in bounded pieces.

import { retention, type Database } from "@dari/db";
import type { Log } from "@dari/domain";

/** Pieces per organization and pass. The next pass continues. */
const piecesMax = 100;

/**
 * Runs one pass over organizations that were deleted `afterMs` ago. Returns how many are empty now. If one
 * fails, that is logged, the others continue, and the next pass tries again.
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
