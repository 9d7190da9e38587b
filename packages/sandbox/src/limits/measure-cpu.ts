// Measures the processor time of a process tree, for machines without control groups.

import { readFile } from "node:fs/promises";

const ticksPerSecond = 100;

/**
 * Returns the processor time, in seconds, of these processes, and of ended processes that they or `root` have waited
 * for. Misses processes that end between two calls and that no process waits for.
 */
export async function measureCpu(root: number, pids: readonly number[]): Promise<number> {
  const [, waitedFor] = await ticksOf(root);
  let ticks = waitedFor;
  for (const pid of pids) {
    const [own, children] = await ticksOf(pid);
    ticks += own + children;
  }
  return ticks / ticksPerSecond;
}

async function ticksOf(pid: number): Promise<readonly [own: number, children: number]> {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  // The second field is the command in parentheses, and can contain spaces and parentheses.
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 15)
    .map(Number);
  return [user + system, childUser + childSystem];
}
