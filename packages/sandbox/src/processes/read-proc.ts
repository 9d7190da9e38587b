// Reads Linux's /proc. If a process has ended, the functions return undefined or nothing, never an error.
//
// What the kernel answers from its own tables is read synchronously, which costs a tenth of a read in another thread.
// Only what can take long is read asynchronously: all processes, and a process's environment, for which the kernel
// waits while that process changes its memory.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";

/** Identifies a process even if a later one gets the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: string;
}

export interface ProcessRow extends ProcessIdentity {
  readonly state: string;
  readonly parentPid: number;
  readonly session: number;
  /** Processor time of all its threads, including ended ones, in hundredths of a second. */
  readonly cpuTicks: number;
}

/**
 * Returns the text of a small file that the kernel answers from its own tables, as in /proc and control groups;
 * undefined if there is none. Only for files for which the kernel waits neither for a program nor for a disk.
 */
export function readKernelFile(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Returns the row of a process in the process table; undefined if the process has ended. */
export function readProcess(pid: number): ProcessRow | undefined {
  const stat = readKernelFile(`/proc/${pid}/stat`);
  return stat === undefined ? undefined : rowOf(pid, stat);
}

function rowOf(pid: number, stat: string): ProcessRow {
  // The second field is the command in parentheses, and can contain spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return {
    pid,
    state: fields[0] ?? "",
    parentPid: Number(fields[1]),
    session: Number(fields[3]),
    startTime: fields[19] ?? "",
    cpuTicks: Number(fields[11]) + Number(fields[12]),
  };
}

/** Returns whether the process runs. A zombie is dead: it has released its memory, files and namespaces. */
export function isAlive(process: ProcessIdentity): boolean {
  const row = readProcess(process.pid);
  return row !== undefined && row.startTime === process.startTime && row.state !== "Z" && row.state !== "X";
}

/** Returns the children of a single-threaded process. */
export function childrenOf(pid: number): number[] {
  const text = readKernelFile(`/proc/${pid}/task/${pid}/children`) ?? "";
  return text.split(" ").filter(Boolean).map(Number);
}

export async function environmentContains(pid: number, mark: string): Promise<boolean> {
  return readFile(`/proc/${pid}/environ`, "latin1").then(
    (environment) => environment.includes(mark),
    () => false,
  );
}

export async function listProcesses(): Promise<ProcessRow[]> {
  const names = await readdir("/proc");
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number);
  const rows = pids.map((pid) =>
    readFile(`/proc/${pid}/stat`, "latin1").then(
      (stat) => rowOf(pid, stat),
      () => undefined,
    ),
  );
  return (await Promise.all(rows)).filter((row) => row !== undefined);
}

let ownStartTime: string | undefined;

/**
 * Returns a unique name for something that would remain if this process died. The name contains the process's pid and
 * start time, so that a later process can recognize what a dead process has left.
 */
export function createOwnedName(): string {
  ownStartTime ??= rowOf(process.pid, readFileSync("/proc/self/stat", "latin1")).startTime;
  return `dari-${process.pid}-t${ownStartTime}-${randomUUID()}`;
}

/**
 * Returns whether something with this name belongs to a dead process. A pid alone is not enough: in containers the next
 * process has the same.
 */
export function isOrphanName(name: string): boolean {
  const [, pid, startTime] = /^dari-(\d+)-t(\d+)-/.exec(name) ?? [];
  return pid !== undefined && readProcess(Number(pid))?.startTime !== startTime;
}
