// Shows operators every turn that has failed as a failed job: also one that failed where nobody held its job (pulled
// while the queue was away, lost with its worker), and after Redis has lost its memory.

import { turnJobs } from "@dari/db";
import type { JobContext } from "./repair-jobs.ts";

const rebuiltMax = 1_000;
const rebuiltDays = 7;
/** What a worker may take to end the job itself. Milliseconds. */
const settlingMs = 10_000;

/**
 * Makes a job of each newly failed turn that has none, of the newest of a week where the queue does not know how far it
 * was. Returns how many were made.
 */
export async function rebuildFailedJobs(
  { db, queue, log }: JobContext,
  options: { readonly settlingMs?: number } = {},
): Promise<number> {
  if (!queue.available) return 0;
  const since = await queue.failed.until();
  const bounds = { since, days: rebuiltDays, settlingMs: options.settlingMs ?? settlingMs, limit: rebuiltMax };
  const { until, failed } = await turnJobs.listNewestFailed(db, bounds);
  const rebuilt = await queue.failed.add(failed, until);
  if (rebuilt > 0) log.info({ rebuilt }, "queue.failed_jobs_rebuilt");
  return rebuilt;
}
