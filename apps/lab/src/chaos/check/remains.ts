// Waits until a run is quiet and says what is left that should not be: sessions in the schedule, jobs, processes,
// directories.

import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openTurnQueue } from "@dari/queue";
import { descendantsOf, processesMarked, processesMounting } from "../../processes.ts";
import { queuePrefix, type Stage } from "../stage/stage.ts";
import { attemptDirectories } from "../../fleet.ts";

const lookEveryMs = 250;
/** Jobs that no row matches are settled when somebody looks at them; then there is nothing more to come. */
const settleWithinMs = 15_000;

/** True once no message is open; false when that takes longer than `withinMs`. */
export async function isQuietWithin(stage: Pick<Stage, "db">, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    if ((await openSessions(stage)) === 0) return true;
    if (performance.now() > deadline) return false;
    await sleep(lookEveryMs);
  }
}

async function openSessions(stage: Pick<Stage, "db">): Promise<number> {
  const query = "select count(*)::int as n from dari.sessions where schedule <> 'idle'";
  const result = await stage.db.pool.query<{ n: number }>(query).catch(() => undefined);
  return result?.rows[0]?.n ?? 1;
}

/** Sentences; none when everything was taken away. */
export async function listRemains(stage: Stage): Promise<string[]> {
  const deadline = performance.now() + settleWithinMs;
  for (;;) {
    const remains = [
      ...(await jobsLeft(stage)),
      ...directoriesLeft(stage),
      ...agentsLeft(stage),
      ...orphansLeft(stage),
    ];
    if (remains.length === 0 || performance.now() > deadline) return remains;
    await sleep(lookEveryMs);
  }
}

async function jobsLeft(stage: Stage): Promise<string[]> {
  const queue = openTurnQueue({ redisUrl: stage.redis.url, prefix: queuePrefix, pool: "default" });
  try {
    const counts = await queue.counts().catch((): Record<string, number> => ({}));
    return ["waiting", "active", "delayed"].flatMap((state) => {
      const count = counts[state] ?? 0;
      return count === 0 ? [] : [`${count} turn jobs are ${state} still`];
    });
  } finally {
    await queue.close();
  }
}

/** Those of turns; one that is empty waits for the next turn. */
function directoriesLeft(stage: Stage): string[] {
  return stage.workers.flatMap(({ name }) =>
    attemptDirectories(path.join(stage.dir, name)).map((left) => `${name} left the directory ${path.basename(left)}`),
  );
}

/** Agents have the directory of their turn; the platform's own programs have it not. */
function agentsLeft(stage: Stage): string[] {
  const own = new Set([process.pid, ...stage.programs.map(({ program }) => program.pid)].map(String));
  return stage.workers.flatMap(({ name }) =>
    processesMarked(path.join(stage.dir, name, "turns"))
      .filter((line) => !own.has(line.split(" ")[0] ?? ""))
      .map((line) => `${name} left the process ${line}`),
  );
}

/** In sandboxes, which see their places in the worker's directory; those that wait for a turn are a living worker's. */
function orphansLeft(stage: Stage): string[] {
  const living = stage.programs.flatMap(({ program }) => (program.isRunning ? descendantsOf(program.pid) : []));
  return processesMounting(path.basename(stage.dir))
    .filter((pid) => !living.includes(pid))
    .map((pid) => `a worker that has ended left the process ${pid} in its sandbox`);
}
