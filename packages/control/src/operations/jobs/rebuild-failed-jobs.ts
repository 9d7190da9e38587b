// Shows operators every failed turn as a failed job, including turns without a job (pulled while the queue was
// unavailable, or lost with their worker), and after Redis lost its data.

import { turnJobs } from "@dari/db";
import type { JobContext } from "./repair-jobs.ts";

const perPage = 1_000;
const rebuiltDays = 7;
/** How long a worker may take to end the job itself, in milliseconds. */
const settlingMs = 10_000;

/**
 * Creates a job for each newly failed turn that has none. If the queue does not know how far this was done, reads
 * the last week. Creates at most as many jobs as the queue keeps, the newest. Returns how many.
 */
export async function rebuildFailedJobs(
  { db, queue, log }: JobContext,
  options: { readonly settlingMs?: number } = {},
): Promise<number> {
  if (!queue.available) return 0;
  const since = await queue.failed.until();
  const until = await turnJobs.getFailedListEnd(db, options.settlingMs ?? settlingMs);
  let rebuilt = 0;
  let before: turnJobs.FailedCursor | undefined;
  for (let seen = 0; seen < queue.failed.keepMax; seen += perPage) {
    const page = { before, limit: Math.min(perPage, queue.failed.keepMax - seen) };
    const { failed, next } = await turnJobs.listFailedMessagesWithin(db, { since, until, days: rebuiltDays }, page);
    rebuilt += await queue.failed.add(failed);
    before = next;
    if (next === undefined) break;
  }
  await queue.failed.setUntil(until);
  if (rebuilt > 0) log.info({ rebuilt }, "queue.failed_jobs_rebuilt");
  return rebuilt;
}
