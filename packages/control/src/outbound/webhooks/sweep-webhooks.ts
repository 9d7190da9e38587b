// Disables endpoints for which too much waits, ends what will not be sent, and forgets what has had its time.

import { boundTo, webhookEndpoints, webhookOutbox, withTransaction, type Database } from "@dari/db";
import { limits, type Log } from "@dari/domain";
import { recordDisabling } from "./record-disabling.ts";

const batchRows = 1_000;

export interface SweepSettings {
  /** How long ended deliveries are kept, in milliseconds. */
  readonly keepMs: number;
  /** The most deliveries that wait for one endpoint. */
  readonly pendingMax: number;
  /** For each kind, by which a call takes no longer; what is left waits for the next one. Milliseconds. */
  readonly passMs: number;
}

const sweepDefaults: SweepSettings = {
  keepMs: limits.webhookKeepMs,
  pendingMax: limits.webhookPendingPerEndpoint,
  passMs: 25_000,
};

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
  const { keepMs, pendingMax, passMs } = { ...sweepDefaults, ...given };
  const disabled = await disableOverfull(context, pendingMax);
  const cancelled = await inBatches(passMs, () => webhookOutbox.cancelUnwanted(db, batchRows));
  const purged = await inBatches(passMs, () => webhookOutbox.purgeDeliveries(db, keepMs, batchRows));
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

async function inBatches(passMs: number, step: () => Promise<number>): Promise<number> {
  const until = performance.now() + passMs;
  let total = 0;
  for (;;) {
    const rows = await step();
    total += rows;
    if (rows < batchRows || performance.now() >= until) return total;
  }
}
