// Deletes idempotency keys after their retention.

import { idempotencyKeys, type Database } from "@dari/db";
import { limits } from "@dari/domain";

const batchRows = 1_000;
/** Per call. The next call continues with the rest. */
const batchesMax = 50;

/** Returns how many. Safe to run concurrently: each batch skips locked rows. */
export async function sweepIdempotencyKeys(db: Database): Promise<number> {
  let swept = 0;
  for (let batch = 0; batch < batchesMax; batch++) {
    const rows = await idempotencyKeys.deleteIdempotencyKeysOlderThan(db, limits.idempotencyKeepMs, batchRows);
    swept += rows;
    if (rows < batchRows) break;
  }
  return swept;
}
