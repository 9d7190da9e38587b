// Shows operators every turn that has failed as a failed job: also one that failed where nobody held its job (pulled
// while the queue was away, lost with its worker), and after Redis has lost its memory.

import { turnJobs } from "@dari/db";
import type { JobContext } from "./repair-jobs.ts";

const perPage = 1_000;
const rebuiltDays = 7;
/** What a worker may take to end the job itself. Milliseconds. */
const settlingMs = 10_000;

/**
 * Makes a job of each newly failed turn that has none, of those of a week where the queue does not know how far it was.
 * As many as the queue keeps, the newest: an older one would push itself out. Returns how many were made.
 */
export async function rebuildFailedJobs(
  { db, queue, log }: JobContext,
  options: { readonly settlingMs?: number } = {},
): Promise<number> {
  if (!queue.available) return 0;
  const since = await queue.failed.until();
  const until = await turnJobs.readFailedUntil(db, options.settlingMs ?? settlingMs);
  let rebuilt = 0;
  let before: turnJobs.FailedPlace | undefined;
  for (let seen = 0; seen < queue.failed.keepMax; seen += perPage) {
    const page = { before, limit: Math.min(perPage, queue.failed.keepMax - seen) };
    const { failed, next } = await turnJobs.listFailedIn(db, { since, until, days: rebuiltDays }, page);
    rebuilt += await queue.failed.add(failed);
    before = next;
    if (next === undefined) break;
  }
  await queue.failed.setUntil(until);
  if (rebuilt > 0) log.info({ rebuilt }, "queue.failed_jobs_rebuilt");
  return rebuilt;
}
