// Identifies a process by its id and its start time, because process ids are reused.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque; differs between two processes that had the same id one after the other. */
  readonly startedAt: string;
}

/** Returns the process that has this id now; undefined if there is none. A zombie counts as none. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const startedAt = process.platform === "linux" ? startOnLinux(pid) : startByPs(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
}

export function isSameProcessAlive(identity: ProcessIdentity): boolean {
  return identifyProcess(identity.pid)?.startedAt === identity.startedAt;
}

export function identifySelf(): ProcessIdentity {
  const self = identifyProcess(process.pid);
  if (!self) throw new Error("Cannot read the start time of this process (is /proc mounted? is ps on the PATH?)");
  return self;
}

/** Returns whether the command line of `pid` contains `text`. */
export function commandLineContains(pid: number, text: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(text);
  } catch {
    return process.platform !== "linux" && ps(pid, "command=").includes(text);
  }
}

function startOnLinux(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the program's name in parentheses, and may contain any character, also parentheses and
    // spaces.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, ticks] = [fields[0], fields[19]];
    return state === "Z" || state === "X" ? undefined : ticks;
  } catch {
    return undefined;
  }
}

function startByPs(pid: number): string | undefined {
  const [state, ...start] = ps(pid, "state=,lstart=").trim().split(/\s+/);
  return !state || state.startsWith("Z") ? undefined : start.join(" ");
}

function ps(pid: number, columns: string): string {
  return spawnSync("ps", ["-o", columns, "-p", String(pid)], { encoding: "utf8" }).stdout ?? "";
}
