// Stops a sandbox between two turns. Only its program and the processes that the program keeps are left, stopped and
// without access to the last turn's directory.

import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { insidePaths } from "./bwrap-arguments.ts";
import { childrenOf, isAlive, readProcess, type ProcessIdentity, type ProcessRow } from "./proc.ts";
import type { SlotMounts } from "./types.ts";
import { measureTree } from "./tree-use.ts";

export interface StoppedSandbox {
  /** Continues the program. */
  wake(): Promise<void>;
  /** Returns false if it is dead, runs, has run for 10 ms in total since it was stopped, or has started a process. */
  isStill(): Promise<boolean>;
}

/** Processes that the program has started may still be ending, in milliseconds. */
const endsWithinMs = 100;
const lookEveryMs = 2;
/** Threads may be in the middle of a system call, in milliseconds. */
const stopsWithinMs = 1_000;

const stillRuns = "a process that the agent has started still runs";
const stillOpen = "something in the workspace or HOME is still open, or is the working directory";

/**
 * Resolves with the reason as text if it cannot be stopped. What a stopped process may still do (a timer can wake it)
 * does not harm the turn, because it cannot reach the directory. No turn would pay for its processor time and traffic,
 * so the pool checks regularly whether it is stopped. `init` is the sandbox's first process, the program its only
 * child.
 */
export async function stopProcesses(o: {
  init: ProcessIdentity | undefined;
  mounts: Pick<SlotMounts, "leave">;
  slotDir: string;
  /** At the two places of a turn, below the slot's. */
  mountsBelow: number;
  /** How many processes the program keeps for the next turn (default: 0). */
  kept?: number | undefined;
}): Promise<StoppedSandbox | string> {
  const processes = o.init && (await processesOf(o.init.pid, 1 + (o.kept ?? 0)));
  if (o.init === undefined || processes === undefined) return stillRuns;
  for (const one of processes) if (!(await stop(one))) return "the agent's process does not stand still";
  // A process may have started another before it stopped.
  const { pids } = await measureTree(o.init.pid);
  const known = new Set(processes.map(({ pid }) => pid));
  if (pids.length !== known.size || !pids.every((pid) => known.has(pid))) return stillRuns;
  if ((await mountsAt(o.init.pid)) - o.mountsBelow !== attached) return "its directory was there before its program";
  if (!(await o.mounts.leave(o.slotDir))) return stillOpen;
  if ((await mountsAt(o.init.pid)) - o.mountsBelow !== left) return "its directory cannot be taken away";
  const [atRest, init] = [await readAll(processes), o.init.pid];
  return {
    async wake() {
      // Continue the kept processes before the program, which talks to them.
      for (const one of processes.toReversed()) if (await isAlive(one)) process.kill(one.pid, "SIGCONT");
    },
    async isStill() {
      const [now, { pids: all }] = await Promise.all([readAll(processes), measureTree(init)]);
      const isSame = (row: ProcessRow | undefined, index: number): boolean =>
        row?.startTime === processes[index]?.startTime && row?.cpuTicks === atRest[index]?.cpuTicks;
      return now.every((row, index) => isSame(row, index) && row?.state === "T") && all.length === processes.length;
    },
  };
}

const readAll = (processes: readonly ProcessIdentity[]): Promise<(ProcessRow | undefined)[]> =>
  Promise.all(processes.map(({ pid }) => readProcess(pid)));

/**
 * Returns exactly this many processes below `init`, its only child first; undefined if there are others, or it has more
 * children.
 */
async function processesOf(init: number, count: number): Promise<ProcessIdentity[] | undefined> {
  const deadline = performance.now() + endsWithinMs;
  for (;;) {
    const { pids } = await measureTree(init);
    const children = await childrenOf(init);
    if (pids.length === count && children.length === 1) {
      const [program] = children;
      const rows = await Promise.all([program!, ...pids.filter((pid) => pid !== program)].map(readProcess));
      return rows.every((row) => row !== undefined) ? rows : undefined;
    }
    if (pids.length === 0 || performance.now() > deadline) return undefined;
    await delay(lookEveryMs);
  }
}

async function stop({ pid }: ProcessIdentity): Promise<boolean> {
  process.kill(pid, "SIGSTOP");
  const deadline = performance.now() + stopsWithinMs;
  for (;;) {
    const state = (await readProcess(pid))?.state ?? "X";
    if (state === "T") return true;
    if (/[XZ]/.test(state) || performance.now() > deadline) return false;
    await delay(lookEveryMs);
  }
}

/** Mounts at the two places of a turn, inside the sandbox: the slot's, and the turn's over it. */
const attached = 4;
const left = 2;

async function mountsAt(pid: number): Promise<number> {
  const table = await readFile(`/proc/${pid}/mountinfo`, "utf8").catch(() => "");
  const places = table.split("\n").map((line) => line.split(" ")[4]);
  return places.filter((place) => place === insidePaths.workspace || place === insidePaths.state).length;
}
