// Forgets idempotency keys that have had their time.

import { idempotencyKeys, type Database } from "@dari/db";
import { limits } from "@dari/domain";

const batchRows = 1_000;
/** Per call; a backlog that is longer waits for the next one. */
const batchesMax = 50;

/** Answers how many. Safe beside its twins: each batch takes rows that nobody else is taking. */
export async function sweepIdempotencyKeys(db: Database): Promise<number> {
  let swept = 0;
  for (let batch = 0; batch < batchesMax; batch++) {
    const rows = await idempotencyKeys.deleteIdempotencyKeysOlderThan(db, limits.idempotencyKeepMs, batchRows);
    swept += rows;
    if (rows < batchRows) break;
  }
  return swept;
}
