// Whether a strike did what it is for, read from the database beside the proxies: a fault that hurt nothing shows
// nothing.

import { waitUntil } from "@dari/testkit";
import type { Member } from "../stage/member.ts";
import { timing, type Stage } from "../stage/stage.ts";
import type { Scene } from "./fault.ts";

/** Expiry, reaping, and a machine that does other things. */
const lostWithinMs = 4 * timing.leaseMs;
/** A woken zombie registers anew and asks for work; one with the machine's attention does so at once. */
const carriesOnWithinMs = 30_000;

/** How many attempts of this process ended so since then. `since`: the database's clock, from `databaseNow`. */
async function countAttempts(stage: Stage, pid: number, outcome: string, since: Date): Promise<number> {
  const result = await stage.ask<{ n: number }>(
    `select count(*)::int as n from dari.attempts a join dari.workers w on w.id = a.worker_id
      where w.details ->> 'pid' = $1 and a.outcome = $2 and a.ended_at > $3`,
    [String(pid), outcome, since],
  );
  return result[0]?.n ?? 0;
}

export async function databaseNow(stage: Stage): Promise<Date> {
  const result = await stage.ask<{ now: Date }>("select clock_timestamp() as now");
  return result[0]?.now ?? new Date();
}

/** Notes that attempts of this process ended as `outcome` since then, once they have. */
export async function seeAttempts(scene: Scene, pid: number, outcome: string, since: Date): Promise<void> {
  const isSeen = async (): Promise<boolean> => (await countAttempts(scene.stage, pid, outcome, since)) > 0;
  const what = `an attempt of process ${pid} to be ${outcome}`;
  if (await succeeds(waitUntil(isSeen, { what, timeoutMs: lostWithinMs }))) scene.seen();
}

/** A worker that was away must come back to work, whatever became of its turns. */
export async function seeItCarryOn(scene: Scene, worker: Member): Promise<void> {
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
  if (!(await succeeds(waitUntil(hasClaimed, what)))) scene.accuse(`${worker.name} woke and took no more work`);
}

/** Whether an attempt has failed since then by no fault of its agent. */
export async function hasFailedForThePlatform(stage: Stage, since: Date): Promise<boolean> {
  const query = "select 1 from dari.attempts where failure ->> 'code' = 'internal_error' and ended_at > $1 limit 1";
  return (await stage.ask(query, [since])).length > 0;
}

/** Whether a statement of somebody waits for a lock. */
export async function someoneWaitsForALock(stage: Stage): Promise<boolean> {
  const query = "select 1 from pg_stat_activity where wait_event_type = 'Lock' limit 1";
  return (await stage.ask(query)).length > 0;
}

export async function succeeds(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}
