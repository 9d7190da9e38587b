// Cancels the open messages of a batch. The request is a row, so a reconciler continues if this process dies.

import type { SessionBatchRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { withAuditEntry } from "@dari/control/tenants";
import { sessionBatches, type BatchPlace, type Database } from "@dari/db";
import { limits, notFound, type Notifier } from "@dari/domain";
import { getBatch } from "./get-batch.ts";

interface CancelContext {
  readonly db: Database;
  readonly notifier: Notifier;
}

/** Messages of one statement: their sessions' workers cannot renew a lease until it has ended. */
const perStatement = 100;
/** Batches of one pass. */
const perPass = 20;
/** Purged in one statement, with their items. */
const purgedTogether = 20;
/** A pass begins no statement after this; the rest waits for the next one: milliseconds. */
const purgeMs = 3_000;

/**
 * Idempotent. Queued messages end at once; running ones when their workers have stopped them: until then the batch is
 * `cancelling`. @throws AppError `not_found`
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

/** Answers how many messages were told. */
async function cancelOpen({ db, notifier }: CancelContext, place: BatchPlace): Promise<number> {
  let told = 0;
  for (;;) {
    const items = await sessionBatches.cancelOpenItems(db, place, perStatement);
    for (const { outcome, messageId, sessionId } of items) {
      if (outcome === "requested") notifier.notify("cancel", messageId);
      if (outcome !== "cancelled") continue;
      notifier.notify("message", messageId);
      notifier.notify("session", sessionId);
    }
    told += items.length;
    if (items.length === 0) break;
  }
  // Messages that were sent behind the first ones may be ready now.
  if (told > 0) notifier.notify("ready", place.organizationId);
  return told;
}

/** For the clock: what a process began to cancel and did not finish. Safe beside its twins. */
export async function finishBatchCancels(context: CancelContext): Promise<number> {
  let told = 0;
  for (const place of await sessionBatches.listBatchesToCancel(context.db, perPass)) {
    told += await cancelOpen(context, place);
  }
  return told;
}

/** Forgets batches that have had their time; their sessions stay. Answers how many. */
export async function sweepBatches(db: Database, keepMs: number = limits.batchKeepMs): Promise<number> {
  const startedAt = performance.now();
  let swept = 0;
  for (;;) {
    const purged = await sessionBatches.purgeBatches(db, keepMs, purgedTogether);
    swept += purged;
    if (purged < purgedTogether || performance.now() - startedAt > purgeMs) return swept;
  }
}
