// Reads Linux's /proc. A process that is gone is never an error here: readers answer undefined or nothing.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";

/** A process that cannot be confused with a later one of the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: string;
}

export interface ProcessRow extends ProcessIdentity {
  readonly state: string;
  readonly parentPid: number;
  readonly session: number;
  /** Processor time of all its threads so far, also of those that have ended; hundredths of a second. */
  readonly cpuTicks: number;
}

async function readQuietly(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "latin1");
  } catch {
    return undefined;
  }
}

/** One row of the process table. */
export async function readProcess(pid: number): Promise<ProcessRow | undefined> {
  const stat = await readQuietly(`/proc/${pid}/stat`);
  return stat === undefined ? undefined : rowOf(pid, stat);
}

function rowOf(pid: number, stat: string): ProcessRow {
  // The second field is the command in parentheses and may itself hold spaces and parentheses.
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

/** True while the process runs. A zombie is dead: it has let go of its memory, its files and its namespace. */
export async function isAlive(process: ProcessIdentity): Promise<boolean> {
  const row = await readProcess(process.pid);
  return row !== undefined && row.startTime === process.startTime && row.state !== "Z" && row.state !== "X";
}

/** Children of a single-threaded process. */
export async function childrenOf(pid: number): Promise<number[]> {
  const text = await readQuietly(`/proc/${pid}/task/${pid}/children`);
  return text === undefined
    ? []
    : text
        .split(" ")
        .filter((part) => part !== "")
        .map(Number);
}

export async function environmentHolds(pid: number, mark: string): Promise<boolean> {
  return (await readQuietly(`/proc/${pid}/environ`))?.includes(mark) ?? false;
}

export async function listProcesses(): Promise<ProcessRow[]> {
  const names = await readdir("/proc");
  const rows = await Promise.all(names.filter((name) => /^\d+$/.test(name)).map((name) => readProcess(Number(name))));
  return rows.filter((row) => row !== undefined);
}

let ownStartTime: string | undefined;

/** A name for what would stay behind if this process died: its number, when it started, and what nobody else has. */
export function ownName(): string {
  ownStartTime ??= rowOf(process.pid, readFileSync("/proc/self/stat", "latin1")).startTime;
  return `dari-${process.pid}-t${ownStartTime}-${randomUUID()}`;
}

/**
 * Whether something with this name stayed behind a process that is no more. A number alone would not tell: in
 * containers it is the next process's, too.
 */
export async function isLeftBehind(name: string): Promise<boolean> {
  const [, pid, startTime] = /^dari-(\d+)-t(\d+)-/.exec(name) ?? [];
  return pid !== undefined && (await readProcess(Number(pid)))?.startTime !== startTime;
}
