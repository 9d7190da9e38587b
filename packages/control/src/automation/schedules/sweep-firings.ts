// Forgets what came of due times when it has had its time.

import { scheduleFirings, type Database } from "@dari/db";
import { limits } from "@dari/domain";

const batchRows = 1_000;
/** Per call; a backlog that is longer waits for the next one. */
const batchesMax = 50;

/** Answers how many. Safe beside its twins: each batch takes rows that nobody else is taking. */
export async function sweepFirings(db: Database, keepMs: number = limits.scheduleFiringKeepMs): Promise<number> {
  let swept = 0;
  for (let batch = 0; batch < batchesMax; batch += 1) {
    const rows = await scheduleFirings.purgeFirings(db, keepMs, batchRows);
    swept += rows;
    if (rows < batchRows) break;
  }
  return swept;
}
