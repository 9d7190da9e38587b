// Whether the processors that this worker may use have no time left.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { kernelFiles, listGroupDirs, type KernelFiles } from "@dari/sandbox-pool";

/** The processors are busy if less than this part of their time was idle. */
const idlePartMin = 0.05;
/** They are busy as well if a control group of this process had used up its quota in this part of the time. */
const exhaustedPart = 0.9;
/** The shortest time to judge, in milliseconds. */
const windowMs = 900;

/** What was counted so far, in any unit that stays the same. */
interface ProcessorUse {
  readonly totalTime: number;
  readonly idleTime: number;
  /** For each control group with a quota: the time for which it had used up the quota, in milliseconds. */
  readonly exhaustedMs: ReadonlyMap<string, number>;
}

/**
 * Returns a function that tells whether the processors were busy since its last call that is at least 0.9 s ago. A
 * process that waits for a processor is no sign of that: a turn with `runtime.cpus` waits for its own quota.
 */
export function watchProcessors(
  files: KernelFiles = kernelFiles,
  now: () => number = () => performance.now(),
): () => boolean {
  let last = { at: now(), use: readUse(files) };
  let isBusy = false;
  return () => {
    const at = now();
    const ms = at - last.at;
    if (ms < windowMs) return isBusy;
    const use = readUse(files);
    isBusy = wereBusy(last.use, use, ms);
    last = { at, use };
    return isBusy;
  };
}

function wereBusy(from: ProcessorUse, to: ProcessorUse, ms: number): boolean {
  const totalTime = to.totalTime - from.totalTime;
  if (totalTime > 0 && to.idleTime - from.idleTime < idlePartMin * totalTime) return true;
  return [...to.exhaustedMs].some(([dir, end]) => end - (from.exhaustedMs.get(dir) ?? end) >= exhaustedPart * ms);
}

function readUse(files: KernelFiles): ProcessorUse {
  const allowed = readAllowed(read(join(files.proc, "self", "status")));
  let [totalTime, idleTime] = [0, 0];
  for (const [, id, text] of read(join(files.proc, "stat")).matchAll(/^cpu(\d+) (.*)$/gm)) {
    if (!allowed(Number(id))) continue;
    // The time of guests, after these, is part of the first two.
    const times = text!.split(" ").slice(0, 8).map(Number);
    totalTime += times.reduce((sum, time) => sum + time, 0);
    idleTime += times[3]! + times[4]!;
  }
  const groups = listGroupDirs("cpu", files).map(({ dir, version }) => [dir, readExhaustedMs(dir, version)] as const);
  return { totalTime, idleTime, exhaustedMs: new Map(groups) };
}

/** Returns whether this process may use a processor, from a list such as `0-3,8`. Without a list, it may use all. */
function readAllowed(status: string): (id: number) => boolean {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1];
  const ranges = list?.split(",").map((range) => range.split("-").map(Number));
  return (id) => ranges?.some(([first = 0, last = first]) => id >= first && id <= last) ?? true;
}

/** Returns the group's periods at whose end it had no quota left, as time. 0 without a quota. */
function readExhaustedMs(dir: string, version: 1 | 2): number {
  const periods = Number(/^nr_throttled (\d+)$/m.exec(read(join(dir, "cpu.stat")))?.[1] ?? 0);
  const periodUs =
    version === 2 ? read(join(dir, "cpu.max")).trim().split(" ")[1] : read(join(dir, "cpu.cfs_period_us")).trim();
  return (periods * Number(periodUs ?? 0)) / 1_000;
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // There is no such file on this machine, or the group was removed.
    return "";
  }
}
