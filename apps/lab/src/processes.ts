// Finds the processes that belong to something, by a mark in their command line, environment or directory.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Returns a line for each living process, except this one, with `mark`. */
export function processesMarked(mark: string): string[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return pids.flatMap((pid) => {
    const command = readProc(pid, "cmdline").replaceAll("\0", " ").trim();
    const marked = [command, readProc(pid, "environ"), workingDirectory(pid)].some((text) => text.includes(mark));
    return marked && isAlive(pid) ? [`${pid} ${command}`] : [];
  });
}

/** Returns living processes in other mount namespaces with a mount whose path contains `part`. */
export function processesMounting(part: string): number[] {
  const own = new Set(mountsOf("self"));
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const mounts = (pid: string): boolean => mountsOf(pid).some((line) => line.includes(part) && !own.has(line));
  return pids.filter((pid) => mounts(pid) && isAlive(pid)).map(Number);
}

function mountsOf(pid: string): string[] {
  return readProc(pid, "mountinfo").split("\n");
}

/** Returns the processes that `pid` has started and their descendants, unless their parent has changed. */
export function descendantsOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    const parent = parentOf(name);
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found: number[] = [];
  const pending = [pid];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const below = children.get(next) ?? [];
    found.push(...below);
    pending.push(...below);
  }
  return found;
}

/** Returns false for a zombie. */
export function isAlive(pid: number | string): boolean {
  const state = statFields(String(pid))[0];
  return state !== undefined && state !== "Z" && state !== "X";
}

export function parentOf(pid: number | string): number | undefined {
  const parent = statFields(String(pid))[1];
  return parent === undefined ? undefined : Number(parent);
}

/** Returns the fields from the third on. The second, the program's name, can contain anything. */
function statFields(pid: string): string[] {
  const stat = readProc(pid, "stat");
  return stat === "" ? [] : stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

function workingDirectory(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return "";
  }
}
