// How a turn job ends.

import type { Job } from "bullmq";
import { TurnFailed, TurnRetry, type TurnJobData } from "./turn-job.ts";
import { timeout } from "./timeout.ts";

/** Postgres has already decided; this makes the board agree. */
export type TurnSettlement =
  | { readonly kind: "completed"; readonly note?: string }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "retry"; readonly reason: string; readonly delayMs: number }
  /** Not due yet, or another lease is valid: check again later, without using an attempt. */
  | { readonly kind: "later"; readonly delayMs: number }
  /** No row matches the job now. */
  | { readonly kind: "obsolete" };

/** Never rejects. */
export async function settleWithin(ms: number, settling: Promise<void>): Promise<void> {
  // The lock was lost or Redis is away: the job is redelivered, and its claim finds the state in the database.
  await Promise.race([settling.catch(() => undefined), timeout(ms)]);
}

export async function settleJob(job: Job<TurnJobData>, token: string, settlement: TurnSettlement): Promise<void> {
  switch (settlement.kind) {
    case "completed":
      await job.moveToCompleted(settlement.note ?? null, token, false);
      return;
    case "failed":
      await job.moveToFailed(new TurnFailed(settlement.reason), token, false);
      return;
    case "retry":
      // Because of claims that do not count and lost ones, the row's count can differ from the job's. The row decides.
      job.opts.attempts = Math.max(job.opts.attempts ?? 1, job.attemptsMade + 2);
      await job.moveToFailed(new TurnRetry(settlement.reason, settlement.delayMs), token, false);
      return;
    case "later":
      await job.moveToDelayed(Date.now() + Math.max(1, settlement.delayMs), token);
      return;
    case "obsolete":
      job.opts.removeOnComplete = true;
      await job.moveToCompleted(null, token, false);
      return;
  }
}
