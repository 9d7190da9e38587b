// Reads Linux's /proc. If a process has ended, the functions return undefined or nothing, never an error.

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

async function readQuietly(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "latin1");
  } catch {
    return undefined;
  }
}

/** Returns the row of a process in the process table; undefined if the process has ended. */
export async function readProcess(pid: number): Promise<ProcessRow | undefined> {
  const stat = await readQuietly(`/proc/${pid}/stat`);
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
export async function isAlive(process: ProcessIdentity): Promise<boolean> {
  const row = await readProcess(process.pid);
  return row !== undefined && row.startTime === process.startTime && row.state !== "Z" && row.state !== "X";
}

/** Returns the children of a single-threaded process. */
export async function childrenOf(pid: number): Promise<number[]> {
  const text = await readQuietly(`/proc/${pid}/task/${pid}/children`);
  return text === undefined
    ? []
    : text
        .split(" ")
        .filter((part) => part !== "")
        .map(Number);
}

export async function environmentContains(pid: number, mark: string): Promise<boolean> {
  return (await readQuietly(`/proc/${pid}/environ`))?.includes(mark) ?? false;
}

export async function listProcesses(): Promise<ProcessRow[]> {
  const names = await readdir("/proc");
  const rows = await Promise.all(names.filter((name) => /^\d+$/.test(name)).map((name) => readProcess(Number(name))));
  return rows.filter((row) => row !== undefined);
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
export async function isOrphanName(name: string): Promise<boolean> {
  const [, pid, startTime] = /^dari-(\d+)-t(\d+)-/.exec(name) ?? [];
  return pid !== undefined && (await readProcess(Number(pid)))?.startTime !== startTime;
}
