// How many turns this machine can run at the same time, apart from their memory: what each turn takes of the worker's
// open files and of the machine's processes.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { SandboxDriver } from "@dari/sandbox";
import { listGroupDirs } from "@dari/sandbox-pool";

/** What limits the number of turns. */
export type SlotLimit = "open files" | "processes" | "the sandbox driver" | "the platform";

export interface MachineLimits {
  /** Open files of this process. */
  readonly openFiles: number;
  /** Processes and threads of the machine and of this process's control groups. */
  readonly processes: number;
  /** Sandboxes of the driver on this machine. */
  readonly sandboxes: number;
}

/** No worker offers more by default. It renews the leases of all its turns with one statement. */
export const defaultSlotsMax = 2_000;
/** Open files of the worker for one turn: channel, output, proxy, and connections. */
const filesPerTurn = 16;
/** Processes and threads of one turn. A Node agent has about a dozen threads. */
const processesPerTurn = 16;
/** The part that turns may use. The rest is for other programs, builds, and turns that need more. */
const usedPart = 0.8;

/** Returns the number of turns, and what limits it. */
export function countMachineSlots(machine: MachineLimits): { readonly slots: number; readonly limit: SlotLimit } {
  const bounds: [SlotLimit, number][] = [
    ["the platform", defaultSlotsMax],
    ["open files", (machine.openFiles * usedPart) / filesPerTurn],
    ["processes", (machine.processes * usedPart) / processesPerTurn],
    ["the sandbox driver", machine.sandboxes * usedPart],
  ];
  const [limit, slots] = bounds.reduce((least, one) => (one[1] < least[1] ? one : least));
  return { slots: Math.max(1, Math.floor(slots)), limit };
}

/** Reads the limits of this machine. What it does not report does not limit. */
export function readMachineLimits(driver: Pick<SandboxDriver, "sandboxesMax">): MachineLimits {
  const openFiles = /^Max open files\s+(\d+)/m.exec(read("/proc/self/limits"))?.[1];
  const own = /^Max processes\s+(\d+)/m.exec(read("/proc/self/limits"))?.[1];
  const groups = listGroupDirs("pids").map(({ dir }) => read(join(dir, "pids.max")));
  const { sandboxesMax: sandboxes = Infinity } = driver;
  const kernel = ["pid_max", "threads-max"].map((name) => read(join("/proc/sys/kernel", name)));
  return { openFiles: toLimit(openFiles), processes: Math.min(...[own, ...groups, ...kernel].map(toLimit)), sandboxes };
}

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
