// The producing side: adds turn jobs, notices a flush, removes jobs that no row matches.

import type { DispatchedTurn, TurnDelivery } from "@dari/domain";
import { Queue } from "bullmq";
import { connectFailingFast, disconnect } from "./redis.ts";
import { queueName, turnJobId, type QueueLocation, type TurnJobData } from "./turn-job.ts";

export interface TurnQueue extends TurnDelivery {
  /** True when Redis has lost its memory since the last call: every dispatched session must be dispatched anew. */
  noticeFlush(): Promise<boolean>;
  /** Jobs by state, as operators see them. */
  counts(): Promise<Record<string, number>>;
  /** The newest jobs in a state, at most 100, as operators see them. */
  jobs(state: JobState): Promise<{ messageId: string; attemptsMade: number }[]>;
  close(): Promise<void>;
}

export type JobState = "waiting" | "active" | "delayed" | "completed" | "failed";

/** Newest jobs kept for operators; the rows in Postgres are the record. */
const keepCompleted = 1_000;
const keepFailed = 5_000;

export function openTurnQueue(location: QueueLocation): TurnQueue {
  const redis = connectFailingFast(location.redisUrl);
  const queue = new Queue<TurnJobData>(queueName(location.pool), {
    connection: redis,
    prefix: location.prefix,
    streams: { events: { maxLen: 1_000 } },
    defaultJobOptions: {
      backoff: { type: "custom" },
      removeOnComplete: { count: keepCompleted },
      removeOnFail: { count: keepFailed },
    },
  });
  queue.on("error", () => undefined);
  const sentinel = `${location.prefix}:sentinel:${location.pool}`;

  return {
    get available() {
      return redis.status === "ready";
    },
    async deliver(turns) {
      if (redis.status !== "ready") throw new Error("Redis is not reachable");
      await queue.addBulk(turns.map(toJob));
    },
    async noticeFlush() {
      return (await redis.set(sentinel, "1", "NX")) === "OK";
    },
    counts: () => queue.getJobCounts("waiting", "active", "delayed", "completed", "failed"),
    async jobs(state) {
      const jobs = await queue.getJobs([state], 0, 99);
      return jobs.map(({ data, attemptsMade }) => ({ messageId: data.messageId, attemptsMade }));
    },
    async close() {
      disconnect(redis);
      await Promise.race([queue.close().catch(() => undefined), timeout(1_000)]);
    },
  };
}

function toJob(turn: DispatchedTurn): { name: string; data: TurnJobData; opts: { jobId: string; attempts: number } } {
  return {
    name: "turn",
    data: {
      organizationId: turn.organizationId,
      sessionId: turn.sessionId,
      messageId: turn.messageId,
      dispatchNumber: turn.dispatchNumber,
    },
    opts: { jobId: turnJobId(turn), attempts: Math.max(1, turn.attemptsLeft) },
  };
}

function timeout(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
