// Reads Linux's /proc. A process that is gone is never an error here: readers answer undefined or nothing.

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
  if (stat === undefined) return undefined;
  // The second field is the command in parentheses and may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return {
    pid,
    state: fields[0] ?? "",
    parentPid: Number(fields[1]),
    session: Number(fields[3]),
    startTime: fields[19] ?? "",
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
