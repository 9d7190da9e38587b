// Deletes records of due times after their retention.

import { scheduleFirings, type Database } from "@dari/db";
import { limits } from "@dari/domain";

const batchRows = 1_000;
/** Per call. The next call continues with the rest. */
const batchesMax = 50;

/** Returns how many. Safe to run concurrently: each batch skips locked rows. */
export async function sweepFirings(db: Database, keepMs: number = limits.scheduleFiringKeepMs): Promise<number> {
  let swept = 0;
  for (let batch = 0; batch < batchesMax; batch += 1) {
    const rows = await scheduleFirings.purgeFirings(db, keepMs, batchRows);
    swept += rows;
    if (rows < batchRows) break;
  }
  return swept;
}
