// Disables endpoints with too many waiting deliveries, ends deliveries that will not be sent, and deletes old ones.

import { withinTransaction, webhookEndpoints, webhookOutbox, withTransaction, type Database } from "@dari/db";
import { limits, type Log } from "@dari/domain";
import { recordEndpointDisabled } from "./record-endpoint-disabled.ts";

const batchRows = 1_000;

export interface SweepSettings {
  /** How long ended deliveries are kept, in milliseconds. */
  readonly keepMs: number;
  /** Maximum number of waiting deliveries per endpoint. */
  readonly pendingMax: number;
  /** Time limit of a call for each kind, in milliseconds. The next call continues. */
  readonly passMs: number;
}

const sweepDefaults: SweepSettings = {
  keepMs: limits.webhookKeepMs,
  pendingMax: limits.webhookPendingPerEndpoint,
  passMs: 25_000,
};

export interface WebhookSweep {
  readonly disabled: number;
  readonly cancelled: number;
  readonly purged: number;
}

/** Safe to run concurrently: each batch skips locked rows. */
export async function sweepWebhooks(
  context: { readonly db: Database; readonly log: Log },
  given: Partial<SweepSettings> = {},
): Promise<WebhookSweep> {
  const { db } = context;
  const { keepMs, pendingMax, passMs } = { ...sweepDefaults, ...given };
  const disabled = await disableOverfull(context, pendingMax);
  const cancelled = await inBatches(passMs, () => webhookOutbox.cancelDeliveriesOfDisabledEndpoints(db, batchRows));
  const purged = await inBatches(passMs, () => webhookOutbox.purgeDeliveries(db, keepMs, batchRows));
  await webhookEndpoints.purgeEndpoints(db, batchRows);
  return { disabled, cancelled, purged };
}

/** Disables each endpoint in its own transaction, so that concurrent runs wait for at most one. */
async function disableOverfull({ db, log }: { db: Database; log: Log }, pendingMax: number): Promise<number> {
  let disabled = 0;
  for (const { id, organizationId } of await webhookOutbox.listOverfullEndpoints(db, pendingMax)) {
    const done = await withTransaction(db, async (tx) => {
      const inside = withinTransaction(db, tx);
      if (!(await webhookOutbox.disableIfOverfull(inside, id, pendingMax))) return false;
      const details = { reason: "backlog", pending_max: pendingMax };
      await recordEndpointDisabled(inside, { organizationId, endpointId: id }, details);
      return true;
    });
    if (!done) continue;
    disabled += 1;
    log.warn({ org: organizationId, endpoint: id, reason: "backlog" }, "webhook.disabled");
  }
  return disabled;
}

async function inBatches(passMs: number, step: () => Promise<number>): Promise<number> {
  const until = performance.now() + passMs;
  let total = 0;
  for (;;) {
    const rows = await step();
    total += rows;
    if (rows < batchRows || performance.now() >= until) return total;
  }
}
