// Whether the processors have time for more turns, and how many turns may start at the same time.

import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { listGroupDirs } from "@dari/sandbox-pool";

/** Turns that start at the same time: a start takes a processor for about 50 ms, and waits for the disk as well. */
export const startsMax = Math.max(8, 4 * availableParallelism());
/** While the processors are busy, an organization of which this many turns compute gets no further turn. */
export const computingMax = Math.max(4, 2 * availableParallelism());
/** Above this part of their time, the processors are busy. */
const busyPart = 0.95;
/** The shortest time to judge, in milliseconds. */
const windowMs = 900;

/** Processor time that was used so far, in milliseconds, and how many processors there are to use. */
export interface ProcessorUse {
  readonly usedMs: number;
  readonly processors: number;
}

/** Returns a function that returns whether processors were busy since its last call that is at least 0.9 s ago. */
export function createBusyCheck(
  readUses: () => readonly ProcessorUse[] = readProcessorUses,
  now: () => number = () => performance.now(),
): () => boolean {
  let last = { at: now(), uses: readUses() };
  let isBusy = false;
  return () => {
    const at = now();
    const ms = at - last.at;
    if (ms < windowMs) return isBusy;
    const uses = readUses();
    isBusy = uses.some(({ usedMs, processors }, index) => {
      const before = last.uses[index];
      return before !== undefined && usedMs - before.usedMs >= busyPart * processors * ms;
    });
    last = { at, uses };
    return isBusy;
  };
}

/** A unit of /proc/stat is 10 ms on all systems that Node supports. */
const tickMs = 10;

/** Reads the use of the machine, and of each control group of this process that limits processor time. */
function readProcessorUses(): ProcessorUse[] {
  const uses: ProcessorUse[] = [];
  const stat = read("/proc/stat");
  const fields = /^cpu +(.*)$/m.exec(stat)?.[1]?.split(" ").map(Number) ?? [];
  const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0, steal = 0] = fields;
  const processors = stat.match(/^cpu\d/gm)?.length ?? 0;
  if (processors > 0) uses.push({ usedMs: (user + nice + system + irq + softIrq + steal) * tickMs, processors });
  for (const { dir, version } of listGroupDirs("cpu")) {
    const [quota = NaN, period = NaN] = version === 2 ? numbersIn(dir, "cpu.max") : quotaOfVersion1(dir);
    if (!(quota > 0)) continue;
    const usedMs = version === 2 ? usedOfVersion2(dir) : usedOfVersion1(dir);
    if (usedMs !== undefined) uses.push({ usedMs, processors: quota / period });
  }
  return uses;
}

function quotaOfVersion1(dir: string): number[] {
  return [...numbersIn(dir, "cpu.cfs_quota_us"), ...numbersIn(dir, "cpu.cfs_period_us")];
}

function usedOfVersion2(dir: string): number | undefined {
  const used = /^usage_usec (\d+)/m.exec(read(join(dir, "cpu.stat")))?.[1];
  return used === undefined ? undefined : Number(used) / 1_000;
}

/** The controllers cpu and cpuacct have the same groups on all usual systems. */
function usedOfVersion1(dir: string): number | undefined {
  const text = read(join(dir.replace("/cpu/", "/cpuacct/"), "cpuacct.usage"));
  return text === "" ? undefined : Number(text) / 1e6;
}

/** Returns the numbers of a file; NaN for `max`. */
function numbersIn(dir: string, name: string): number[] {
  const text = read(join(dir, name)).trim();
  return text === "" ? [] : text.split(" ").map(Number);
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
