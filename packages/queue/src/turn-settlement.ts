// How a turn job ends.

import type { Job } from "bullmq";
import { TurnFailed, TurnRetry, type TurnJobData } from "./turn-job.ts";
import { timeout } from "./within.ts";

/** Postgres has decided it already; this makes the board agree. */
export type TurnSettlement =
  | { readonly kind: "completed"; readonly note?: string }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "retry"; readonly reason: string; readonly delayMs: number }
  /** Not due yet, or another lease lives: look again later, without using an attempt. */
  | { readonly kind: "later"; readonly delayMs: number }
  /** No row matches the job any more. */
  | { readonly kind: "obsolete" };

/** Never rejects. */
export async function settleWithin(ms: number, settling: Promise<void>): Promise<void> {
  // The lock was lost or Redis is away: the job comes again and its claim finds the truth.
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
      // Claims that do not count, and lost ones, make the row's count another than the job's; the row has the say.
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
