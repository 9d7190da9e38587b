// How many turns this machine can run at the same time, apart from their memory: what each turn takes of the worker's
// open files, and of the machine's processes and processors.

import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { listGroupDirs } from "@dari/sandbox-pool";

export interface MachineLimits {
  /** Open files of this process. */
  readonly openFiles: number;
  /** Processes and threads of the machine, of this process's user and of its control groups. */
  readonly processes: number;
  readonly processors: number;
}

/** No worker offers more by default. It renews the leases of all its turns with one statement. */
export const defaultSlotsMax = 2_000;
/** If all turns wake at the same moment, the worker must still renew its leases (docs/decisions/0028). */
export const slotsPerProcessor = 200;
/** Open files of the worker for one turn: channel, output, proxy, and connections. */
const filesPerTurn = 16;
/** Processes and threads of one turn. A Node agent has about a dozen threads. */
const processesPerTurn = 16;
/** The part that turns may use. The rest is for other programs, builds, and turns that need more. */
const usedPart = 0.8;

export function countMachineSlots({ openFiles, processes, processors }: MachineLimits): number {
  const most = Math.min((openFiles * usedPart) / filesPerTurn, (processes * usedPart) / processesPerTurn);
  return Math.max(1, Math.min(defaultSlotsMax, slotsPerProcessor * processors, Math.floor(most)));
}

/** Reads the limits of this machine. What it does not report does not limit. */
export function readMachineLimits(): MachineLimits {
  const limits = read("/proc/self/limits");
  const groups = listGroupDirs("pids").map(({ dir }) => read(join(dir, "pids.max")));
  const kernel = ["pid_max", "threads-max"].map((name) => read(join("/proc/sys/kernel", name)));
  const own = /^Max processes\s+(\d+)/m.exec(limits)?.[1];
  const processes = Math.min(...[own, ...groups, ...kernel].map(toLimit));
  const openFiles = toLimit(/^Max open files\s+(\d+)/m.exec(limits)?.[1]);
  return { openFiles, processes, processors: availableParallelism() };
}

/** Returns Infinity for `max` and for what is missing. */
function toLimit(text = ""): number {
  const value = Number.parseInt(text, 10);
  return Number.isNaN(value) ? Infinity : value;
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
