// The producing side: adds turn jobs, notices a flush, reports the queue's contents, and removes jobs without a row.

import type { DispatchedTurn, TurnDelivery } from "@dari/domain";
import { Queue, type QueueOptions } from "bullmq";
import { openFailedJobs, type FailedJobs } from "./failed-jobs.ts";
import { BullConnection } from "./connect-redis.ts";
import { createJobScan, type ScannedJob } from "./scan-jobs.ts";
import { connectSender, type Sender } from "./redis-sender.ts";
import { queueName, toBullJob, turnJobId, type QueueLocation, type TurnJobData } from "./turn-job.ts";
import { timeout } from "./timeout.ts";

export interface DelayedTurn extends DispatchedTurn {
  /** Milliseconds; 0 is due at once. */
  readonly waitMs: number;
}

/** The queue for the board, which reads, retries and promotes. It allows every operation on the queue. */
export type TurnBoard = Queue<TurnJobData>;

export interface TurnQueue extends TurnDelivery {
  /** Whether Redis has lost its data since the last call; then every dispatched session must be dispatched again. */
  noticeFlush(): Promise<boolean>;
  /** Returns the turns that have no job. */
  withoutJob<T extends DispatchedTurn>(turns: readonly T[]): Promise<T[]>;
  /** Adds jobs that become due after `waitMs` each. Adds all of them or none. */
  deliverLater(turns: readonly DelayedTurn[]): Promise<void>;
  /** Returns up to `limit` waiting or delayed jobs. The next call continues after them, and starts over at the end. */
  scan(limit: number): Promise<ScannedJob[]>;
  /** Removes jobs that no worker holds. Returns how many were removed. */
  remove(jobIds: readonly string[]): Promise<number>;
  readonly failed: FailedJobs;
  /** Jobs by state, as operators see them. Like every question to Redis, it rejects if there is no answer. */
  counts(): Promise<Record<string, number>>;
  /** Which server answers. */
  server(): Promise<RedisServer>;
  /** Returns the newest jobs in a state, at most 100, as operators see them. */
  jobs(state: JobState): Promise<{ messageId: string; attemptsMade: number }[]>;
  readonly board: TurnBoard;
  /** Its connection, for notifications. It is closed with the queue. */
  readonly sender: Sender;
  close(): Promise<void>;
}

export interface RedisServer {
  readonly name: "Redis" | "Valkey";
  readonly version: string;
  /** Its `maxmemory-policy`; undefined if the server does not report it. */
  readonly evictionPolicy: string | undefined;
}

export type JobState = "waiting" | "active" | "delayed" | "completed" | "failed";

/** The newest jobs are kept for operators; the rows in Postgres are the record. */
const keepCompleted = 1_000;
const keepFailed = 5_000;

const jobOptions = {
  backoff: { type: "custom" },
  removeOnComplete: { count: keepCompleted },
  removeOnFail: { count: keepFailed },
};

export function openTurnQueue(location: QueueLocation): TurnQueue {
  const sender = connectSender(location.redisUrl);
  const { redis } = sender;
  const opts: QueueOptions = {
    connection: redis,
    prefix: location.prefix,
    streams: { events: { maxLen: 1_000 } },
    // BullMQ asks for Redis's version only once: if there is no answer, the queue fails every later call.
    skipVersionCheck: true,
    defaultJobOptions: jobOptions,
  };
  const queue = new Queue<TurnJobData>(queueName(location.pool), opts, BullConnection);
  queue.on("error", () => undefined);
  const sentinel = `${location.prefix}:sentinel:${location.pool}`;
  const key = (name: string): string => queue.toKey(name);
  /** Rejects if Redis does not answer. BullMQ would wait for a Redis that it has never reached. */
  const ask = <T>(work: () => Promise<T>): Promise<T> =>
    sender.isAvailable ? work() : Promise.reject(new Error("Redis does not answer"));
  const remove = async (jobIds: readonly string[]): Promise<number> => {
    let removed = 0;
    for (const jobId of jobIds) removed += await ask(() => queue.remove(jobId));
    return removed;
  };
  const mark = `${sentinel}:failed`;

  return {
    get available() {
      return sender.isAvailable;
    },
    async deliver(turns) {
      const jobs = turns.map((turn) => toBullJob(turn));
      // A single job needs no transaction.
      await ask<unknown>(() =>
        jobs.length === 1 ? queue.add(jobs[0]!.name, jobs[0]!.data, jobs[0]!.opts) : queue.addBulk(jobs),
      );
    },
    async noticeFlush() {
      const answer = await redis.set(sentinel, "1", "NX");
      sender.noticeAnswer();
      return answer === "OK";
    },
    async withoutJob(turns) {
      if (turns.length === 0) return [];
      const asking = redis.pipeline();
      for (const turn of turns) asking.exists(key(turnJobId(turn)));
      const answers = (await asking.exec()) ?? [];
      return turns.filter((_turn, index) => answers[index]?.[1] === 0);
    },
    async deliverLater(turns) {
      if (turns.length > 0) await ask(() => queue.addBulk(turns.map((turn) => toBullJob(turn, turn.waitMs))));
    },
    scan: createJobScan(redis, key),
    remove,
    failed: openFailedJobs({ redis, mark, key, jobOptions, remove, keepMax: keepFailed }),
    counts: () => ask(() => queue.getJobCounts("waiting", "active", "delayed", "completed", "failed")),
    server: async () => readServer(await ask(() => redis.info())),
    async jobs(state) {
      const jobs = await ask(() => queue.getJobs([state], 0, 99));
      return jobs.map(({ data, attemptsMade }) => ({ messageId: data.messageId, attemptsMade }));
    },
    board: queue,
    sender,
    async close() {
      sender.close();
      await Promise.race([queue.close().catch(() => undefined), timeout(1_000)]);
    },
  };
}

/** Valkey reports a Redis version for old clients, and also its own. */
function readServer(info: string): RedisServer {
  const fields = Object.fromEntries([...info.matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, name, value]) => [name, value]));
  const valkey = fields["valkey_version"];
  const name = valkey === undefined ? "Redis" : "Valkey";
  const version = valkey ?? fields["redis_version"] ?? "unknown";
  return { name, version, evictionPolicy: fields["maxmemory_policy"] };
}
