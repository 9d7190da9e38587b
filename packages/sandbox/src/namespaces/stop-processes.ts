// Stops a sandbox between two turns. Only its program and the processes that the program keeps are left, stopped and
// without access to the last turn's directory.

import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { insidePaths } from "./paths-inside.ts";
import { childrenOf, isAlive, readProcess, type ProcessIdentity, type ProcessRow } from "../processes/read-proc.ts";
import type { SlotMounts } from "../types.ts";
import { measureTree } from "../limits/measure-process-tree.ts";

export interface StoppedSandbox {
  /** Continues the program. */
  wake(): Promise<void>;
  /** Returns false if it is dead, runs, has run for 10 ms in total since it was stopped, or has started a process. */
  isStill(): Promise<boolean>;
}

/** How long to wait for processes of the program that are about to end, in milliseconds. */
const endsWithinMs = 100;
const pollEveryMs = 2;
/** How long to wait until all threads are stopped: a thread may be in a system call. In milliseconds. */
const stopsWithinMs = 1_000;

const stillRuns = "a process that the agent has started still runs";
const stillOpen = "something in the workspace or HOME is still open, or is the working directory";

/**
 * Stops the processes. Resolves with the reason as text if that is not possible. If a stopped process runs again (a
 * timer can wake it), it does no harm to the turn, because it cannot reach the directory. But no turn would pay for its
 * processor time and traffic, so the pool checks regularly whether it is still stopped. `init` is the sandbox's first
 * process, and the program is its only child.
 */
export async function stopProcesses(o: {
  init: ProcessIdentity | undefined;
  mounts: Pick<SlotMounts, "leave">;
  slotDir: string;
  /** Number of mounts at `workspace` and `state` that are below the mounts of the slot. */
  mountsBelow: number;
  /** How many processes the program keeps for the next turn (default: 0). */
  kept?: number | undefined;
}): Promise<StoppedSandbox | string> {
  const processes = o.init && (await processesOf(o.init.pid, 1 + (o.kept ?? 0)));
  if (o.init === undefined || processes === undefined) return stillRuns;
  for (const one of processes) if (!(await stop(one))) return "a process of the agent cannot be stopped";
  // A process may have started another process before it stopped.
  const { pids } = await measureTree(o.init.pid);
  const known = new Set(processes.map(({ pid }) => pid));
  if (pids.length !== known.size || !pids.every((pid) => known.has(pid))) return stillRuns;
  if ((await mountsAt(o.init.pid)) - o.mountsBelow !== attached)
    return "the turn's directory was mounted before the program started";
  if (!(await o.mounts.leave(o.slotDir))) return stillOpen;
  if ((await mountsAt(o.init.pid)) - o.mountsBelow !== left) return "the turn's directory cannot be unmounted";
  const [stoppedRows, init] = [readAll(processes), o.init.pid];
  return {
    async wake() {
      // Continue the kept processes before the program, which talks to them.
      for (const one of processes.toReversed()) if (isAlive(one)) process.kill(one.pid, "SIGCONT");
    },
    async isStill() {
      const [now, { pids: all }] = [readAll(processes), await measureTree(init)];
      const isSame = (row: ProcessRow | undefined, index: number): boolean =>
        row?.startTime === processes[index]?.startTime && row?.cpuTicks === stoppedRows[index]?.cpuTicks;
      return now.every((row, index) => isSame(row, index) && row?.state === "T") && all.length === processes.length;
    },
  };
}

const readAll = (processes: readonly ProcessIdentity[]): (ProcessRow | undefined)[] =>
  processes.map(({ pid }) => readProcess(pid));

/**
 * Waits until `init` has exactly one child and `count` processes below it. Returns these processes, the child first;
 * undefined if there are other processes.
 */
async function processesOf(init: number, count: number): Promise<ProcessIdentity[] | undefined> {
  const deadline = performance.now() + endsWithinMs;
  for (;;) {
    const { pids } = await measureTree(init);
    const children = childrenOf(init);
    if (pids.length === count && children.length === 1) {
      const [program] = children;
      const rows = [program!, ...pids.filter((pid) => pid !== program)].map(readProcess);
      return rows.every((row) => row !== undefined) ? rows : undefined;
    }
    if (pids.length === 0 || performance.now() > deadline) return undefined;
    await delay(pollEveryMs);
  }
}

async function stop({ pid }: ProcessIdentity): Promise<boolean> {
  process.kill(pid, "SIGSTOP");
  const deadline = performance.now() + stopsWithinMs;
  for (;;) {
    const state = readProcess(pid)?.state ?? "X";
    if (state === "T") return true;
    if (/[XZ]/.test(state) || performance.now() > deadline) return false;
    await delay(pollEveryMs);
  }
}

/** The number of mounts at `workspace` and `state` inside the sandbox: of the slot, and of the turn over them. */
const attached = 4;
/** The number of mounts after the turn's mounts are undone. */
const left = 2;

async function mountsAt(pid: number): Promise<number> {
  const table = await readFile(`/proc/${pid}/mountinfo`, "utf8").catch(() => "");
  const places = table.split("\n").map((line) => line.split(" ")[4]);
  return places.filter((place) => place === insidePaths.workspace || place === insidePaths.state).length;
}
