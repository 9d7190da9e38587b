// Waits until a run is quiet and reports what is left: sessions in the schedule, jobs, processes, directories.

import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openTurnQueue } from "@dari/queue";
import { descendantsOf, processesMarked, processesMounting } from "../../processes.ts";
import { queuePrefix, type Stage } from "../stage/stage.ts";
import { attemptDirectories } from "../../fleet.ts";

const lookEveryMs = 250;
/** Jobs without a row are settled when a worker looks at them, which must happen within this time, in milliseconds. */
const settleWithinMs = 15_000;

/** Resolves with true once no message is open; with false after `withinMs`. */
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

/** Returns sentences; none if everything was cleaned up. */
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

/** Returns directories of turns. An empty one is kept for the next turn. */
function directoriesLeft(stage: Stage): string[] {
  return stage.workers.flatMap(({ name }) =>
    attemptDirectories(path.join(stage.dir, name)).map((left) => `${name} left the directory ${path.basename(left)}`),
  );
}

/** Agents have a turn's directory in their environment; the platform's own programs do not. */
function agentsLeft(stage: Stage): string[] {
  const own = new Set([process.pid, ...stage.programs.map(({ program }) => program.pid)].map(String));
  return stage.workers.flatMap(({ name }) =>
    processesMarked(path.join(stage.dir, name, "turns"))
      .filter((line) => !own.has(line.split(" ")[0] ?? ""))
      .map((line) => `${name} left the process ${line}`),
  );
}

/** Processes in sandboxes, which mount directories of the worker. Those of a live worker may be preloaded. */
function orphansLeft(stage: Stage): string[] {
  const living = stage.programs.flatMap(({ program }) => (program.isRunning ? descendantsOf(program.pid) : []));
  return processesMounting(path.basename(stage.dir))
    .filter((pid) => !living.includes(pid))
    .map((pid) => `a worker that has ended left the process ${pid} in its sandbox`);
}
