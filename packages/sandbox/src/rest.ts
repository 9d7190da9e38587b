// Brings a sandbox to rest between two turns: one process is left of it, which stands still and has no way to the
// directory of the turn that is over.

import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { insidePaths } from "./bwrap-arguments.ts";
import { isAlive, readProcess, type ProcessIdentity } from "./proc.ts";
import type { SlotMounts } from "./slot-mounts.ts";
import { measureTree } from "./tree-use.ts";

export interface Resting {
  /** Lets the program go on. */
  wake(): Promise<void>;
  /** False once it is dead, runs, has run for 10 ms in all since it came to rest, or has started a process. */
  isStill(): Promise<boolean>;
}

/** What the program has started may still be ending. Milliseconds. */
const endsWithinMs = 100;
const lookEveryMs = 2;
/** Threads that are in the middle of a call of the kernel. Milliseconds. */
const stopsWithinMs = 1_000;

const stillRuns = "a process that the agent has started still runs";
const stillOpen = "something in the workspace or HOME is still open, or is the working directory";

/**
 * Text: why it cannot rest. What a stopped process may do all the same (a timer may wake it) does not harm the turn:
 * the directory is out of its reach. Its processor time and its way out to the network are nobody's then, so whoever
 * keeps it asks now and then whether it stands still. `init` is the sandbox's first process, the program its one child.
 */
export async function bringToRest(o: {
  init: ProcessIdentity | undefined;
  mounts: Pick<SlotMounts, "leave">;
  slotDir: string;
  /** At the two places of a turn, before the slot's. */
  mountsBelow: number;
}): Promise<Resting | string> {
  const program = o.init && (await onlyChild(o.init.pid));
  if (o.init === undefined || program === undefined) return stillRuns;
  if (!(await stop(program))) return "the agent's process does not stand still";
  // It may have started another one before it stood still.
  const { pids } = await measureTree(o.init.pid);
  if (pids.length !== 1 || pids[0] !== program.pid) return stillRuns;
  if ((await mountsAt(o.init.pid)) - o.mountsBelow !== attached) return "its directory was there before its program";
  if (!(await o.mounts.leave(o.slotDir))) return stillOpen;
  if ((await mountsAt(o.init.pid)) - o.mountsBelow !== left) return "its directory cannot be taken away";
  const [atRest, init] = [await readProcess(program.pid), o.init.pid];
  return {
    async wake() {
      if (await isAlive(program)) process.kill(program.pid, "SIGCONT");
    },
    async isStill() {
      const [now, { pids: all }] = await Promise.all([readProcess(program.pid), measureTree(init)]);
      const isSame = now?.startTime === program.startTime && now.cpuTicks === atRest?.cpuTicks;
      return isSame && now.state === "T" && all.length === 1;
    },
  };
}

/** Undefined while there are others, or none. */
async function onlyChild(init: number): Promise<ProcessIdentity | undefined> {
  const deadline = performance.now() + endsWithinMs;
  for (;;) {
    const { pids } = await measureTree(init);
    if (pids.length === 1) return await readProcess(pids[0]!);
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

/** Mounts at the two places of a turn, as the sandbox sees them: the slot's, and the turn's over it. */
const attached = 4;
const left = 2;

async function mountsAt(pid: number): Promise<number> {
  const table = await readFile(`/proc/${pid}/mountinfo`, "utf8").catch(() => "");
  const places = table.split("\n").map((line) => line.split(" ")[4]);
  return places.filter((place) => place === insidePaths.workspace || place === insidePaths.state).length;
}
