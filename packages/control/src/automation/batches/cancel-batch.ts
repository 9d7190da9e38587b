// Cancels the open messages of a batch. The request is stored, so a reconciler continues if this process dies.

import type { SessionBatchRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { withAuditEntry } from "@dari/control/tenants";
import { sessionBatches, type BatchKey, type Database } from "@dari/db";
import { limits, notFound, type Notifier } from "@dari/domain";
import { getBatch } from "./get-batch.ts";

interface CancelContext {
  readonly db: Database;
  readonly notifier: Notifier;
}

/** Messages per statement. Workers of these sessions cannot renew their leases until it has ended. */
const perStatement = 100;
/** Batches per pass. */
const perPass = 20;
/** Batches that one statement deletes, with their items. */
const purgedTogether = 20;
/** A pass begins no statement after this time, in milliseconds. The next pass continues. */
const purgeMs = 3_000;

/**
 * Cancels a batch. Idempotent. Queued messages end immediately. Running ones end when their workers have stopped them;
 * until then the batch is `cancelling`. @throws AppError `not_found`
 */
export async function cancelBatch(control: Control, actor: Actor, batchId: string): Promise<SessionBatchRecord> {
  const place = { organizationId: actor.organizationId, batchId };
  const outcome = await withAuditEntry(
    control,
    actor,
    (inside) => sessionBatches.requestBatchCancelIfFound(inside.db, place),
    (done) => (done === "requested" ? { action: "session_batch.cancel", target: batchId } : undefined),
  );
  if (outcome === "missing") throw notFound("session batch");
  await cancelOpen(control, place);
  return getBatch(control, place);
}

/** Returns how many messages were cancelled or asked to stop. */
async function cancelOpen({ db, notifier }: CancelContext, place: BatchKey): Promise<number> {
  let cancelledCount = 0;
  for (;;) {
    const items = await sessionBatches.cancelOpenItems(db, place, perStatement);
    for (const { outcome, messageId, sessionId } of items) {
      if (outcome === "requested") notifier.notify("cancel", messageId);
      if (outcome !== "cancelled") continue;
      notifier.notify("message", messageId);
      notifier.notify("session", sessionId);
    }
    cancelledCount += items.length;
    if (items.length === 0) break;
  }
  // Messages queued behind the first ones may be ready now.
  if (cancelledCount > 0) notifier.notify("ready", place.organizationId);
  return cancelledCount;
}

/** Finishes cancellations that a process began and did not finish. Safe to run concurrently. */
export async function finishBatchCancels(context: CancelContext): Promise<number> {
  let cancelledCount = 0;
  for (const place of await sessionBatches.listBatchesToCancel(context.db, perPass)) {
    cancelledCount += await cancelOpen(context, place);
  }
  return cancelledCount;
}

/** Deletes batches after their retention; their sessions stay. Returns how many. */
export async function sweepBatches(db: Database, keepMs: number = limits.batchKeepMs): Promise<number> {
  const startedAt = performance.now();
  let swept = 0;
  for (;;) {
    const purged = await sessionBatches.purgeBatches(db, keepMs, purgedTogether);
    swept += purged;
    if (purged < purgedTogether || performance.now() - startedAt > purgeMs) return swept;
  }
}
