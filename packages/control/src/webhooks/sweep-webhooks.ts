// Disables endpoints for which too much waits, ends what will not be sent, and forgets what has had its time.

import { boundTo, webhookEndpoints, webhookOutbox, withTransaction, type Database } from "@dari/db";
import { limits, type Log } from "@dari/domain";
import { recordDisabling } from "./record-disabling.ts";

const batchRows = 1_000;
/** Of each kind per call; a backlog that is longer waits for the next one. */
const batchesMax = 20;

export interface SweepSettings {
  /** Of what has ended: milliseconds. */
  readonly keepMs: number;
  /** Deliveries that may wait for one endpoint. */
  readonly pendingMax: number;
}

const sweepDefaults: SweepSettings = { keepMs: limits.webhookKeepMs, pendingMax: limits.webhookPendingPerEndpoint };

export interface WebhookSweep {
  /** Endpoints. */
  readonly disabled: number;
  /** Deliveries. */
  readonly cancelled: number;
  readonly purged: number;
}

/** Safe beside its twins: each batch takes rows that nobody else is taking. */
export async function sweepWebhooks(
  context: { readonly db: Database; readonly log: Log },
  given: Partial<SweepSettings> = {},
): Promise<WebhookSweep> {
  const { db } = context;
  const { keepMs, pendingMax } = { ...sweepDefaults, ...given };
  const disabled = await disableOverfull(context, pendingMax);
  const cancelled = await inBatches(() => webhookOutbox.cancelUnwanted(db, batchRows));
  const purged = await inBatches(() => webhookOutbox.purgeDeliveries(db, keepMs, batchRows));
  await webhookEndpoints.purgeEndpoints(db, batchRows);
  return { disabled, cancelled, purged };
}

/** Each in a transaction of its own, so that twins wait for no more than one. */
async function disableOverfull({ db, log }: { db: Database; log: Log }, pendingMax: number): Promise<number> {
  let disabled = 0;
  for (const { id, organizationId } of await webhookOutbox.listOverfull(db, pendingMax)) {
    const done = await withTransaction(db, async (tx) => {
      const inside = boundTo(db, tx);
      if (!(await webhookOutbox.disableIfOverfull(inside, id, pendingMax))) return false;
      const details = { reason: "backlog", pending_max: pendingMax };
      await recordDisabling(inside, { organizationId, endpointId: id }, details);
      return true;
    });
    if (!done) continue;
    disabled += 1;
    log.warn({ org: organizationId, endpoint: id, reason: "backlog" }, "webhook.disabled");
  }
  return disabled;
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
