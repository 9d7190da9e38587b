// Checks whether a strike had its effect, in the database and not through the proxies: a fault without an effect proves
// nothing.

import { waitUntil } from "@dari/testkit";
import type { StageProgram } from "../stage/stage-program.ts";
import { timing, type Stage } from "../stage/stage.ts";
import type { Scene } from "./fault.ts";

/** Expiry, reaping, and a busy machine. */
const lostWithinMs = 4 * timing.leaseMs;
/** A resumed worker registers again and asks for work, at once if the machine is not busy. */
const carriesOnWithinMs = 30_000;

/** A process's worker, until it has left or is forgotten. */
export interface WorkerSighting {
  readonly workerId: string;
  /** The database's clock. */
  readonly since: Date;
}

export async function findWorkerNow(stage: Stage, worker: StageProgram): Promise<WorkerSighting> {
  const query = "select id from dari.workers where details ->> 'pid' = $1 order by started_at desc limit 1";
  const rows = await stage.ask<{ id: string }>(query, [String(worker.program.pid)]);
  return { workerId: rows[0]?.id ?? "", since: await databaseNow(stage) };
}

export async function databaseNow(stage: Stage): Promise<Date> {
  const result = await stage.ask<{ now: Date }>("select clock_timestamp() as now");
  return result[0]?.now ?? new Date();
}

/** Records that an attempt of this worker has ended as `outcome` since then, once one has. */
export async function waitForAttempt(
  scene: Scene,
  { workerId, since }: WorkerSighting,
  outcome: string,
): Promise<void> {
  const query = "select 1 from dari.attempts where worker_id = $1 and outcome = $2 and ended_at > $3 limit 1";
  const isSeen = async (): Promise<boolean> => (await scene.stage.ask(query, [workerId, outcome, since])).length > 0;
  const what = `an attempt of ${workerId} to be ${outcome}`;
  if (await settlesWithoutError(waitUntil(isSeen, { what, timeoutMs: lostWithinMs }))) scene.seen();
}

/** A worker that was away must return to work, whatever happened to its turns. */
export async function checkWorkerResumes(scene: Scene, worker: StageProgram): Promise<void> {
  const { pid } = worker.program;
  const since = await databaseNow(scene.stage);
  const hasClaimed = async (): Promise<boolean> => {
    const result = await scene.stage.ask(
      `select 1 from dari.attempts a join dari.workers w on w.id = a.worker_id
        where w.details ->> 'pid' = $1 and a.claimed_at > $2 limit 1`,
      [String(pid), since],
    );
    return result.length > 0;
  };
  const what = { what: `${worker.name} to claim again`, timeoutMs: carriesOnWithinMs };
  if (!(await settlesWithoutError(waitUntil(hasClaimed, what))))
    scene.accuse(`${worker.name} woke and took no more work`);
}

/** Returns whether an attempt has failed since then that was not its agent's fault. */
export async function hasInternalFailure(stage: Stage, since: Date): Promise<boolean> {
  const query = "select 1 from dari.attempts where failure ->> 'code' = 'internal_error' and ended_at > $1 limit 1";
  return (await stage.ask(query, [since])).length > 0;
}

/** Returns whether any statement waits for a lock. */
export async function isLockAwaited(stage: Stage): Promise<boolean> {
  const query = "select 1 from pg_stat_activity where wait_event_type = 'Lock' limit 1";
  return (await stage.ask(query)).length > 0;
}

export async function settlesWithoutError(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}
