// Which part of a platform each of its processes is, and what each part uses.

import { readdirSync, readFileSync } from "node:fs";
import { ownCpuMs } from "../cpu-time.ts";

/**
 * `helpers`: the native programs that start, mount and fork. `launchers`: what stands above the platform, such as npm.
 * `sandboxed`: everything else below the platform, templates and launchers of sandboxes included.
 */
export const parts = ["platform", "postgres", "redis", "helpers", "launchers", "sandboxed"] as const;
export type Part = (typeof parts)[number];
export type ByPart = Record<Part, number>;

export interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  /** The name in /proc/PID/comm. */
  readonly name: string;
}

/** `dari-start` and so on; before, each was a file of its own, some with a digest behind their name. */
const helperName = /^(dari-|(start|mount|template)(-|$))/;

/** Returns the part of each process below `root`, the process that was started, and of `root` itself. */
export function partsOf(rows: readonly ProcessRow[], root: number, platform: number): Map<number, Part> {
  const below = Map.groupBy(rows, ({ parent }) => parent);
  const found = new Map<number, Part>();
  const add = (pid: number, part: Part): void => {
    found.set(pid, part);
    for (const child of below.get(pid) ?? []) add(child.pid, partOfChild(child, part, platform));
  };
  add(root, root === platform ? "platform" : "launchers");
  return found;
}

function partOfChild({ pid, name }: ProcessRow, parent: Part, platform: number): Part {
  if (pid === platform) return "platform";
  if (parent === "launchers" || parent === "postgres" || parent === "sandboxed") return parent;
  if (parent === "platform" && name.startsWith("postgres")) return "postgres";
  if (parent === "platform" && name.startsWith("redis")) return "redis";
  return helperName.test(name) ? "helpers" : "sandboxed";
}

export function readRows(): ProcessRow[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    const stat = read(`/proc/${pid}/stat`);
    if (stat === "") return [];
    // The name is in parentheses and can contain anything.
    const [, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return [
      { pid: Number(pid), parent: Number(parent), name: stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")")) },
    ];
  });
}

/** Milliseconds that each process has used so far, without those in sandboxes, which come and go. */
export type CpuReading = ReadonlyMap<number, { readonly part: Part; readonly ms: number }>;

export function readCpu(root: number, platform: number): CpuReading {
  const lasting = [...partsOf(readRows(), root, platform)].filter(([, part]) => part !== "sandboxed");
  // Backends of PostgreSQL end and count with the postmaster.
  return new Map(lasting.map(([pid, part]) => [pid, { part, ms: ownCpuMs(pid, part === "postgres") }]));
}

/** Returns what was used between two readings; `totalMs` is that of everything, of which sandboxes are the rest. */
export function cpuBetween(before: CpuReading, after: CpuReading, totalMs: number): ByPart {
  const used = noneByPart();
  for (const [pid, { part, ms }] of after) if (part !== "postgres") used[part] += ms - (before.get(pid)?.ms ?? 0);
  used.postgres = sumOf(after, "postgres") - sumOf(before, "postgres");
  const lasting = parts.reduce((sum, part) => sum + used[part], 0);
  return { ...used, sandboxed: Math.max(0, totalMs - lasting) };
}

const sumOf = (reading: CpuReading, of: Part): number =>
  [...reading.values()].reduce((sum, { part, ms }) => sum + (part === of ? ms : 0), 0);

export interface MemoryReading {
  /** Proportional set size: memory that several processes share counts for each in part. In MiB. */
  readonly pss: ByPart;
  readonly processes: ByPart;
  /** What the kernel says is free for programs, in MiB. */
  readonly available: number;
}

export function readMemory(root: number, platform: number): MemoryReading {
  const [pss, processes] = [noneByPart(), noneByPart()];
  for (const [pid, part] of partsOf(readRows(), root, platform)) {
    pss[part] += kilobytes(read(`/proc/${pid}/smaps_rollup`), "Pss") / 1024;
    processes[part] += 1;
  }
  return { pss, processes, available: readAvailable() };
}

export function readAvailable(): number {
  return kilobytes(read("/proc/meminfo"), "MemAvailable") / 1024;
}

export const noneByPart = (): ByPart => Object.fromEntries(parts.map((part) => [part, 0])) as ByPart;
export const total = (of: ByPart): number => parts.reduce((sum, part) => sum + of[part], 0);

/** Rounds to tenths and leaves out parts that used nothing. */
export function rounded(of: ByPart): Partial<ByPart> {
  const entries = parts.map((part) => [part, Math.round(of[part] * 10) / 10] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== 0));
}

function kilobytes(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0);
}

function read(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    // The process has ended, or is another user's.
    return "";
  }
}
