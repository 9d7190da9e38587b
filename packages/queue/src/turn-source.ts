// The consuming side: fetches one turn job at a time, keeps its lock, and settles it as the database decided.

import type { Job } from "bullmq";
import { openTurnConsumer, type FetchedJob, type TurnConsumer } from "./turn-consumer.ts";
import { wasPromoted, readTurnJob, wasFailed, type QueueLocation, type TurnJobData } from "./turn-job.ts";
import { settleJob, settleWithin, type TurnSettlement } from "./turn-settlement.ts";

export interface TurnTicket extends TurnJobData {
  readonly jobId: string;
  /** How often the job has ended. */
  readonly attemptsMade: number;
  /** The job was `failed` before it was taken: an operator has retried it. */
  readonly wasFailed: boolean;
  /** The job was taken before its due time: an operator has promoted it. */
  readonly cameEarly: boolean;
  /** Never rejects: a job that cannot be settled is redelivered, and its claim then finds nothing to do. */
  settle(settlement: TurnSettlement): Promise<void>;
}

export interface TurnSource {
  /** Whether Redis answers; false after a second without an answer. */
  readonly available: boolean;
  /** Jobs fetched so far. */
  readonly fetched: number;
  /** The next job; undefined if none came within a few seconds or the source is closing. One call at a time. */
  next(): Promise<TurnTicket | undefined>;
  /** Fetches over new connections from now on, whatever the state of the old ones. Running jobs continue. */
  reopen(): Promise<void>;
  /** Whether there are waiting jobs. Rejects while Redis is away. */
  hasWaiting(): Promise<boolean>;
  close(): Promise<void>;
}

interface Held {
  consumer: TurnConsumer;
  job: Job<TurnJobData>;
  readonly token: string;
}

const settleMs = 2_000;

export function openTurnSource(location: QueueLocation, options: { lockMs: number }): TurnSource {
  let consumer = openTurnConsumer(location, options);
  const locks = keepLocks(() => consumer, options.lockMs);
  let closing = false;
  let fetched = 0;

  const ticketOf = async (from: TurnConsumer, found: FetchedJob): Promise<TurnTicket | undefined> => {
    const one: Held = { consumer: from, ...found };
    const jobId = found.job.id ?? "";
    const turn = readTurnJob(jobId, found.job.data);
    if (turn === undefined) {
      await settleWithin(settleMs, settleJob(found.job, found.token, { kind: "obsolete" }));
      return undefined;
    }
    locks.add(one);
    return {
      ...turn,
      jobId,
      attemptsMade: found.job.attemptsMade,
      wasFailed: wasFailed(found.job.stacktrace),
      cameEarly: wasPromoted(found.job),
      settle(settlement) {
        locks.delete(one);
        const settling = locks.current(one).then(({ job, token }) => settleJob(job, token, settlement));
        // A slot must not wait for a silent Redis.
        return settleWithin(consumer.available ? settleMs : 0, settling);
      },
    };
  };

  return {
    get available() {
      return consumer.available;
    },
    get fetched() {
      return fetched;
    },
    async next() {
      if (closing) return undefined;
      const from = consumer;
      const found = await from.next();
      if (found === undefined) return undefined;
      fetched += 1;
      return ticketOf(from, found);
    },
    async reopen() {
      const before = consumer;
      consumer = openTurnConsumer(location, options);
      await before.close();
    },
    hasWaiting: () => consumer.hasWaiting(),
    async close() {
      closing = true;
      locks.stop();
      await consumer.close();
    },
  };
}

interface Locks {
  add(one: Held): void;
  delete(one: Held): void;
  /** Reloads the job over the current connection. */
  current(one: Held): Promise<Held>;
  stop(): void;
}

/** Renews the locks of running jobs over the current connection. */
function keepLocks(consumerOfNow: () => TurnConsumer, lockMs: number): Locks {
  const held = new Set<Held>();
  const current = async (one: Held): Promise<Held> => {
    const now = consumerOfNow();
    if (one.consumer === now) return one;
    const job = await now.load(one.job.id ?? "");
    if (job === undefined) throw new Error("the job is gone");
    return Object.assign(one, { consumer: now, job });
  };
  const renewal = setInterval(() => {
    if (held.size === 0) return;
    void consumerOfNow()
      .extendLocks([...held], lockMs)
      .catch(() => undefined);
  }, lockMs / 3);
  renewal.unref();
  return {
    add: (one) => void held.add(one),
    delete: (one) => void held.delete(one),
    current,
    stop: () => clearInterval(renewal),
  };
}
