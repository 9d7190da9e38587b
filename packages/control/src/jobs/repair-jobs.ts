// Makes the queue agree with the rows: called by the reconciler's clock, takes no input, bounded, safe beside its
// twins.

import { turnJobs, type Database } from "@dari/db";
import { limits, type Log } from "@dari/domain";
import type { TurnQueue } from "@dari/queue";

export interface JobContext {
  readonly db: Database;
  readonly queue: TurnQueue;
  readonly log: Log;
}

export interface JobRepairs {
  /** Jobs that were missing. */
  readonly added: number;
  /** Jobs that no row matches. */
  readonly removed: number;
}

const batch = 200;
/** Pages of one pass, as long as each lacks jobs: after a loss. */
const pagesMax = 25;
/** A dispatch whose job is only just being added is not missing one. Milliseconds. */
const waitedMs = 2_000;

export interface JobRepair {
  /** One pass; the next one goes on where it ended. Does nothing while Redis is away. */
  runOnce(): Promise<JobRepairs>;
}

export function createJobRepair(context: JobContext): JobRepair {
  let after = "";

  const addPage = async (): Promise<number> => {
    const bounds = { waitedMs, dispatchTtlMs: limits.dispatchTtlMs, after, limit: batch };
    const due = await turnJobs.listTurnsDue(context.db, bounds);
    const retries = due.filter((turn) => turn.waitMs > 0);
    after = retries.length < batch ? "" : (retries.at(-1)?.sessionId ?? "");
    // Added twice or too late, a job finds nothing to claim.
    const missing = await context.queue.withoutJob(due);
    for (const turn of missing) await context.queue.deliverLater(turn, turn.waitMs);
    return missing.length;
  };
  const addMissing = async (): Promise<number> => {
    let added = 0;
    for (let page = 0; page < pagesMax; page++) {
      const more = await addPage();
      added += more;
      if (more === 0 || after === "") break;
    }
    return added;
  };

  return {
    async runOnce() {
      if (!context.queue.available) return { added: 0, removed: 0 };
      const repairs = { added: await addMissing(), removed: await removeUnmatched(context) };
      if (repairs.added > 0 || repairs.removed > 0) context.log.info({ ...repairs }, "queue.repaired");
      return repairs;
    },
  };
}

async function removeUnmatched({ db, queue }: JobContext): Promise<number> {
  const jobs = await queue.scan(batch);
  if (jobs.length === 0) return 0;
  const turns = jobs.flatMap((job) => (job.turn === undefined ? [] : [job.turn]));
  const inUse = await turnJobs.listJobsInUse(db, turns);
  const used = new Set(inUse.map((turn) => `${turn.sessionId} ${turn.dispatchNumber}`));
  const unused = jobs.filter(({ turn }) => !turn || !used.has(`${turn.sessionId} ${turn.dispatchNumber}`));
  // What an operator wants tried again waits for a worker like any other job.
  const failed = new Set(
    await turnJobs.listFailedAmong(
      db,
      unused.flatMap((job) => job.turn?.messageId ?? []),
    ),
  );
  return queue.remove(unused.filter(({ turn }) => !turn || !failed.has(turn.messageId)).map((job) => job.jobId));
}
