// Makes the queue agree with the rows. Run periodically by the reconciler: no input, bounded, safe to run concurrently.

import { turnJobs, type Database } from "@dari/db";
import { limits, type Log } from "@dari/domain";
import type { TurnQueue } from "@dari/queue";

export interface JobContext {
  readonly db: Database;
  readonly queue: TurnQueue;
  readonly log: Log;
}

export interface JobRepairContext extends JobContext {
  /** Whether there are turns that should have a job (default: always). */
  readonly hasQueued?: () => Promise<boolean>;
}

export interface JobRepairs {
  /** Missing jobs that were added. */
  readonly added: number;
  /** Removed jobs that matched no row. */
  readonly removed: number;
}

const batch = 200;
/** Pages per pass, while each page lacks jobs: after a loss. */
const pagesMax = 25;
/** A younger dispatch may not have its job yet, in milliseconds. */
const waitedMs = 2_000;

export interface JobRepair {
  /** Runs one pass, which continues where the last one ended. Does nothing while Redis is unavailable. */
  runOnce(): Promise<JobRepairs>;
}

export function createJobRepair(context: JobRepairContext): JobRepair {
  const { db, hasQueued = () => Promise.resolve(true) } = context;
  const dispatched = createRound(context.queue, (after) =>
    turnJobs.listUnclaimedDispatches(db, { waitedMs, dispatchTtlMs: limits.dispatchTtlMs, after, limit: batch }),
  );
  const retries = createRound(context.queue, (after) => turnJobs.listRetriesWaiting(db, { after, limit: batch }));

  return {
    async runOnce() {
      if (!context.queue.available) return { added: 0, removed: 0 };
      const added = (await hasQueued()) ? (await dispatched.addMissing()) + (await retries.addMissing()) : 0;
      const repairs = { added, removed: await removeUnmatched(context) };
      if (repairs.added > 0 || repairs.removed > 0) context.log.info({ ...repairs }, "queue.repaired");
      return repairs;
    },
  };
}

/** Cycles over the turns that should have a job, one page per call. Continues at once while pages lack jobs. */
function createRound(
  queue: TurnQueue,
  list: (after: turnJobs.DueCursor | undefined) => Promise<turnJobs.DuePage>,
): { addMissing(): Promise<number> } {
  let after: turnJobs.DueCursor | undefined;
  return {
    async addMissing() {
      let added = 0;
      let isLastRound = after === undefined;
      for (let page = 0; page < pagesMax; page++) {
        const { turns, next } = await list(after);
        after = next;
        // A job that is added twice or too late finds nothing to claim.
        const missing = await queue.withoutJob(turns);
        await queue.deliverLater(missing);
        added += missing.length;
        if (missing.length === 0 || (next === undefined && isLastRound)) break;
        isLastRound ||= next === undefined;
      }
      return added;
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
  // A job that an operator retries waits for a worker like any other job.
  const failed = new Set(
    await turnJobs.filterFailedMessages(
      db,
      unused.flatMap((job) => job.turn?.messageId ?? []),
    ),
  );
  return queue.remove(unused.filter(({ turn }) => !turn || !failed.has(turn.messageId)).map((job) => job.jobId));
}
