// Scans the waiting and delayed jobs page by page, and reads which turns they name.

import type { Redis } from "ioredis";
import { jobDataCharsMax, parseTurnJob, type TurnJobData } from "./turn-job.ts";

export interface ScannedJob {
  readonly jobId: string;
  /** Undefined: not a turn's job. */
  readonly turn: TurnJobData | undefined;
}

/** Returns up to `limit` of each kind. The next call continues after them, and starts over at the end. */
export function createJobScan(redis: Redis, key: (name: string) => string): (limit: number) => Promise<ScannedJob[]> {
  let scanned = 0;
  return async (limit) => {
    const [waiting, delayed] = await Promise.all([
      redis.lrange(key("wait"), scanned, scanned + limit - 1),
      redis.zrange(key("delayed"), scanned, scanned + limit - 1),
    ]);
    scanned = Math.max(waiting.length, delayed.length) < limit ? 0 : scanned + limit;
    return readJobs(redis, key, [...waiting, ...delayed]);
  };
}

/** Reads the length first, because anyone with Redis may have added a huge job. */
async function readJobs(redis: Redis, key: (name: string) => string, jobIds: readonly string[]): Promise<ScannedJob[]> {
  if (jobIds.length === 0) return [];
  const measuring = redis.pipeline();
  for (const jobId of jobIds) measuring.hstrlen(key(jobId), "data");
  const lengths = (await measuring.exec()) ?? [];
  const isSmall = (index: number): boolean => Number(lengths[index]?.[1] ?? Infinity) <= jobDataCharsMax;
  const small = jobIds.filter((_jobId, index) => isSmall(index));
  const reading = redis.pipeline();
  for (const jobId of small) reading.hget(key(jobId), "data");
  const texts = (await reading.exec()) ?? [];
  const found = new Map(small.map((jobId, index) => [jobId, texts[index]?.[1] as string | null]));
  return jobIds.map((jobId) => ({ jobId, turn: parseTurnJob(jobId, found.get(jobId) ?? null) }));
}
