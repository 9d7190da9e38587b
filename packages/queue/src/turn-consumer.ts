// One BullMQ worker with its own connections, from opening to disposal. Settlement is elsewhere.

import { randomUUID } from "node:crypto";
import { createRaceWith } from "@dari/domain";
import { Worker, type Job, type JobJsonRaw, type RedisConnection, type WorkerOptions } from "bullmq";
import { startLivenessCheck } from "./liveness-check.ts";
import { BullConnection, ConsumerRedis, keepSubscribed } from "./connect-redis.ts";
import { backoffStrategy, jobDataCharsMax, queueName, type QueueLocation, type TurnJobData } from "./turn-job.ts";
import { timeout } from "./timeout.ts";

export interface FetchedJob {
  readonly job: Job<TurnJobData>;
  /** The token of the lock on the job. */
  readonly token: string;
}

export interface TurnConsumer {
  /** Whether Redis has answered within about a second. */
  readonly available: boolean;
  /** The next job; undefined if none came within a few seconds or the consumer was closed. One call at a time. */
  next(): Promise<FetchedJob | undefined>;
  /** Reloads a job, to settle it over this consumer's connection. */
  load(jobId: string): Promise<Job<TurnJobData> | undefined>;
  /** Renews the locks of these jobs with one command. A lock that is lost stays lost. */
  extendLocks(jobs: readonly FetchedJob[], lockMs: number): Promise<void>;
  /** Whether there are waiting jobs that a consumer could fetch. */
  hasWaiting(): Promise<boolean>;
  close(): Promise<void>;
}

/** Stalls only redeliver; Postgres counts attempts. BullMQ would fail the job after this many. */
const maxStalledCount = 1_000_000;
const closeMs = 1_000;
/**
 * The interval between passes over the active jobs. A job whose lock has expired is redelivered by the second pass
 * after that. Every consumer may run the passes, also one with a long lock. Milliseconds.
 */
const stalledCheckMs = 5_000;

/** How long a fetch waits for a job before it asks again. A new job ends the wait. */
const drainSeconds = 8;

export function openTurnConsumer(location: QueueLocation, options: { lockMs: number }): TurnConsumer {
  const redis = new ConsumerRedis(location.redisUrl);
  const pulse = startLivenessCheck(redis, { startsFresh: true });
  const checkMs = Math.min(options.lockMs, stalledCheckMs);
  const opts: WorkerOptions = {
    connection: redis,
    prefix: location.prefix,
    autorun: false,
    lockDuration: options.lockMs,
    // How long a pass keeps others from starting one: less than the interval, so that none is skipped by a narrow
    // margin.
    stalledInterval: Math.ceil(checkMs / 2),
    maxStalledCount,
    drainDelay: drainSeconds,
    settings: { backoffStrategy },
  };
  const worker = new TurnWorker(queueName(location.pool), null, opts, BullConnection);
  worker.on("error", () => undefined);
  const closed = Promise.withResolvers<undefined>();
  const untilClosed = createRaceWith(closed.promise);
  // BullMQ's own timer may outlive its worker, because a running check starts the next one.
  const checking = setInterval(() => void worker.redeliverStalled(), checkMs);
  checking.unref();
  void worker.redeliverStalled();

  const fetch = async (): Promise<FetchedJob | undefined> => {
    const token = randomUUID();
    const job = (await worker.getNextJob(token)) as Job<TurnJobData> | undefined;
    return job?.id === undefined ? undefined : { job, token };
  };

  return {
    get available() {
      return pulse.isFresh;
    },
    // Closing the consumer does not wait for the connection.
    next: () => untilClosed(fetch()),
    load: (jobId) => worker.loadJob(jobId),
    extendLocks: (jobs, lockMs) => worker.renewLocks(jobs, lockMs),
    async hasWaiting() {
      return (await redis.llen(worker.toKey("wait"))) > 0;
    },
    async close() {
      closed.resolve(undefined);
      pulse.stop();
      clearInterval(checking);
      // close() waits for an answer from Redis, which may never come.
      await Promise.race([worker.close(true).catch(() => undefined), timeout(closeMs)]);
      redis.disconnectAll();
    },
  };
}

/** Removes jobs that are not turns instead of failing on each fetch of them. */
class TurnWorker extends Worker<TurnJobData> {
  constructor(...options: ConstructorParameters<typeof Worker<TurnJobData>>) {
    super(...options);
    keepSubscribed(blockingConnectionOf(this));
  }

  protected override createJob(raw: JobJsonRaw, jobId: string): Job<TurnJobData> {
    return super.createJob(isReadable(raw) ? raw : { ...emptyJob, id: jobId }, jobId);
  }

  /** Redelivers jobs whose lock two passes have found expired. Never rejects. */
  async redeliverStalled(): Promise<void> {
    await this.scripts.moveStalledJobsToWait().catch(() => undefined);
  }

  async renewLocks(jobs: readonly FetchedJob[], lockMs: number): Promise<void> {
    const jobIds = jobs.map(({ job }) => job.id ?? "");
    const tokens = jobs.map(({ token }) => token);
    await this.scripts.extendLocks(jobIds, tokens, lockMs);
  }

  async loadJob(jobId: string): Promise<Job<TurnJobData> | undefined> {
    return this.Job.fromId<TurnJobData>(this, jobId);
  }
}

/** Returns the connection that BullMQ 5 opens itself and declares private. */
function blockingConnectionOf(worker: TurnWorker): RedisConnection {
  return (worker as unknown as { readonly blockingConnection: RedisConnection }).blockingConnection;
}

const emptyJob = {
  name: "",
  data: "{}",
  opts: "{}",
  progress: "0",
  attemptsMade: "0",
  timestamp: "0",
  delay: "0",
  priority: "0",
  failedReason: "",
  returnvalue: "null",
} as unknown as JobJsonRaw;

function isReadable(raw: JobJsonRaw): boolean {
  if (raw.rjk !== undefined || raw.data.length > jobDataCharsMax) return false;
  try {
    for (const text of [raw.data, raw.opts, raw.progress, raw.parent]) if (text) JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
