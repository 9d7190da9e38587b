// The queue as a board of operators uses it: with BullMQ's own calls, on its own connection.

import { Queue, type Job } from "bullmq";
import { Redis } from "ioredis";
import { BullConnection } from "../src/connect-redis.ts";

export interface Board {
  job(jobId: string): Promise<Job | undefined>;
  /** `unknown` if there is no such job. */
  stateOf(jobId: string): Promise<string>;
  reasonOf(jobId: string): Promise<string | undefined>;
  resultOf(jobId: string): Promise<unknown>;
  /** The ids of the waiting jobs. */
  waiting(): Promise<string[]>;
  retry(jobId: string): Promise<void>;
  promote(jobId: string): Promise<void>;
  /** Writes fields of a job, as anyone with access to Redis can. */
  write(jobId: string, fields: Readonly<Record<string, string>>): Promise<void>;
  /** Adds a job that is not a turn's. */
  forge(jobId: string, data: unknown): Promise<void>;
  /** Removes every key of the prefix, as a flush does to this installation. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export function openBoard(redisUrl: string, prefix: string): Board {
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: null });
  const queue = new Queue("turns-default", { connection: redis, prefix }, BullConnection);
  const job = (jobId: string): Promise<Job | undefined> => queue.getJob(jobId);
  return {
    job,
    stateOf: (jobId) => queue.getJobState(jobId),
    reasonOf: async (jobId) => (await job(jobId))?.failedReason,
    resultOf: async (jobId) => (await job(jobId))?.returnvalue as unknown,
    waiting: async () => (await queue.getWaiting()).map((one) => one.id ?? ""),
    async retry(jobId) {
      await (await job(jobId))?.retry();
    },
    async promote(jobId) {
      await (await job(jobId))?.promote();
    },
    async write(jobId, fields) {
      await redis.hset(queue.toKey(jobId), fields);
    },
    async forge(jobId, data) {
      await queue.add("turn", data, { jobId });
    },
    async flush() {
      const keys = await redis.keys(`${prefix}:*`);
      if (keys.length > 0) await redis.del(keys);
    },
    async close() {
      await queue.close();
      redis.disconnect();
    },
  };
}
