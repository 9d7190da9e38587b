// The consuming side: fetches one turn job at a time, keeps its lock, and settles it as the database decided.

import { randomUUID } from "node:crypto";
import { UnrecoverableError, Worker, type Job } from "bullmq";
import type { Redis } from "ioredis";
import { connectWaiting, disconnect } from "./redis.ts";
import { backoffStrategy, queueName, TurnRetry, type QueueLocation, type TurnJobData } from "./turn-job.ts";

/** How a job ends. Postgres has decided it already; this makes the board agree. */
export type TurnSettlement =
  | { readonly kind: "completed" }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "retry"; readonly reason: string; readonly delayMs: number }
  /** Not due yet, or another lease lives: look again later, without using an attempt. */
  | { readonly kind: "later"; readonly delayMs: number }
  /** No row matches the job any more. */
  | { readonly kind: "obsolete" };

export interface TurnTicket {
  readonly sessionId: string;
  readonly dispatchNumber: number;
  /** Never rejects: a job that cannot be settled is re-delivered, and the claim then finds nothing to do. */
  settle(settlement: TurnSettlement): Promise<void>;
}

export interface TurnSource {
  /** Whether Redis answers. */
  readonly available: boolean;
  /** The next job; undefined when none came within a few seconds or the source is closing. One call at a time. */
  next(): Promise<TurnTicket | undefined>;
  close(): Promise<void>;
}

/** Stalls only re-deliver; Postgres counts attempts. BullMQ would fail the job after this many. */
const maxStalledCount = 1_000_000;

export function openTurnSource(location: QueueLocation, options: { lockMs: number }): TurnSource {
  const redis = connectWaiting(location.redisUrl);
  const worker = new Worker<TurnJobData>(queueName(location.pool), null, {
    connection: redis,
    prefix: location.prefix,
    autorun: false,
    lockDuration: options.lockMs,
    stalledInterval: options.lockMs,
    maxStalledCount,
    drainDelay: 2,
    settings: { backoffStrategy },
  });
  worker.on("error", () => undefined);
  const held = new Map<string, { job: Job<TurnJobData>; token: string }>();
  const renewal = setInterval(() => renewLocks(held, options.lockMs), options.lockMs / 3);
  renewal.unref();
  let closing = false;
  let stallChecks = false;

  return {
    get available() {
      return redis.status === "ready";
    },
    async next() {
      if (closing) return undefined;
      if (!stallChecks) {
        stallChecks = true;
        await worker.startStalledCheckTimer();
      }
      const token = randomUUID();
      const job = (await worker.getNextJob(token)) as Job<TurnJobData> | undefined;
      if (job === undefined || job.id === undefined) return undefined;
      const id = job.id;
      held.set(id, { job, token });
      return ticketOf(job, token, () => held.delete(id));
    },
    async close() {
      closing = true;
      clearInterval(renewal);
      // close() waits for Redis to answer, which it may never do.
      await Promise.race([worker.close(true).catch(() => undefined), timeout(1_000)]);
      disconnect(redis as Redis);
    },
  };
}

function ticketOf(job: Job<TurnJobData>, token: string, forget: () => void): TurnTicket {
  return {
    sessionId: job.data.sessionId,
    dispatchNumber: job.data.dispatchNumber,
    async settle(settlement) {
      forget();
      try {
        await Promise.race([settleJob(job, token, settlement), timeout(2_000)]);
      } catch {
        // The lock was lost or Redis is away; the job comes again and its claim finds the truth.
      }
    },
  };
}

async function settleJob(job: Job<TurnJobData>, token: string, settlement: TurnSettlement): Promise<void> {
  switch (settlement.kind) {
    case "completed":
      await job.moveToCompleted(null, token, false);
      return;
    case "failed":
      await job.moveToFailed(new UnrecoverableError(settlement.reason), token, false);
      return;
    case "retry":
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

function renewLocks(held: Map<string, { job: Job<TurnJobData>; token: string }>, lockMs: number): void {
  for (const { job, token } of held.values()) job.extendLock(token, lockMs).catch(() => undefined);
}

function timeout(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
