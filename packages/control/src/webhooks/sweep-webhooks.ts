// Ends what will not be sent, and forgets what has had its time.

import { webhookEndpoints, webhookOutbox, type Database } from "@dari/db";
import { limits } from "@dari/domain";

const batchRows = 1_000;
/** Of each kind per call; a backlog that is longer waits for the next one. */
const batchesMax = 20;

export interface WebhookSweep {
  readonly cancelled: number;
  readonly purged: number;
}

/** Safe beside its twins: each batch takes rows that nobody else is taking. `keepMs`: of what has ended. */
export async function sweepWebhooks(db: Database, keepMs: number = limits.webhookKeepMs): Promise<WebhookSweep> {
  const cancelled = await inBatches(() => webhookOutbox.cancelUnwanted(db, batchRows));
  const purged = await inBatches(() => webhookOutbox.purgeDeliveries(db, keepMs, batchRows));
  await webhookEndpoints.purgeEndpoints(db, batchRows);
  return { cancelled, purged };
}

async function inBatches(step: () => Promise<number>): Promise<number> {
  let total = 0;
  for (let batch = 0; batch < batchesMax; batch += 1) {
    const rows = await step();
    total += rows;
    if (rows < batchRows) break;
  }
  return total;
}
