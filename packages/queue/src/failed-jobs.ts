// Writes failed jobs for turns whose own job is gone, so that operators see them and can retry them: Redis has lost its
// data, or the turn failed while no worker held its job. BullMQ has no call for it, because a job becomes failed only
// through a worker. The fields are those of BullMQ 5.

import type { Redis } from "ioredis";
import { failureTrace, toBullJob, turnJobId, type TurnJobData } from "./turn-job.ts";

export interface FailedTurn extends Omit<TurnJobData, "dispatchNumber"> {
  readonly reason: string;
  /** At least 1. */
  readonly attempts: number;
  readonly acceptedAt: Date;
  readonly failedAt: Date;
}

export interface FailedJobs {
  /** How many of the newest failed jobs are kept. */
  readonly keepMax: number;
  /**
   * The time, by the database's clock, up to which failed turns have their jobs. Undefined: Redis has lost its data.
   */
  until(): Promise<number | undefined>;
  /** Creates the missing jobs. Returns how many. */
  add(turns: readonly FailedTurn[]): Promise<number>;
  /** Stores that time. Call it last, so that the work is repeated if the process dies before. */
  setUntil(until: number): Promise<void>;
}

interface FailedJobsOptions {
  readonly redis: Redis;
  /** The key that stores the time. */
  readonly mark: string;
  /** Returns a key of the queue. */
  readonly key: (name: string) => string;
  readonly jobOptions: object;
  readonly remove: (jobIds: readonly string[]) => Promise<unknown>;
  /** Older jobs than this many are removed. */
  readonly keepMax: number;
}

/** No dispatch has this number, so the id never equals that of another job. */
const rebuiltNumber = 0;
const removedPerCall = 1_000;

export function openFailedJobs({ redis, mark, key, jobOptions, remove, keepMax }: FailedJobsOptions): FailedJobs {
  const add = async (turns: readonly FailedTurn[]): Promise<number> => {
    if (turns.length === 0) return 0;
    const known = new Set((await redis.zrange(key("failed"), 0, -1)).map((id) => id.slice(0, id.lastIndexOf("."))));
    const missing = turns.filter((turn) => !known.has(turn.messageId));
    if (missing.length === 0) return 0;
    const writing = redis.multi();
    for (const turn of missing) {
      const { jobId, failedAt, fields } = fieldsOf(turn, jobOptions);
      writing.hset(key(jobId), fields);
      writing.zadd(key("failed"), failedAt, jobId);
    }
    await writing.exec();
    const surplus = await redis.zrange(key("failed"), 0, -keepMax - 1);
    await remove(surplus.slice(0, removedPerCall));
    return missing.length;
  };
  return {
    keepMax,
    add,
    async until() {
      const text = await redis.get(mark);
      const until = Number(text);
      return text !== null && text !== "" && Number.isSafeInteger(until) && until >= 0 ? until : undefined;
    },
    async setUntil(until) {
      await redis.set(mark, String(until));
    },
  };
}

function fieldsOf(turn: FailedTurn, jobOptions: object): { jobId: string; failedAt: number; fields: object } {
  const { organizationId, sessionId, messageId } = turn;
  const named = { organizationId, sessionId, messageId, dispatchNumber: rebuiltNumber };
  const job = toBullJob({ ...named, attemptsLeft: turn.attempts });
  const failedAt = turn.failedAt.getTime();
  const fields = {
    name: job.name,
    data: JSON.stringify(job.data),
    opts: JSON.stringify({ ...jobOptions, ...job.opts }),
    timestamp: turn.acceptedAt.getTime(),
    delay: 0,
    priority: 0,
    atm: turn.attempts,
    ats: turn.attempts,
    failedReason: turn.reason,
    stacktrace: JSON.stringify([failureTrace(turn.reason)]),
    processedOn: failedAt,
    finishedOn: failedAt,
  };
  return { jobId: turnJobId(named), failedAt, fields };
}
