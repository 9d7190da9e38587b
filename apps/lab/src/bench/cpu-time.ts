// Reads the processor time of process trees from /proc, including ended children.

import { readFileSync } from "node:fs";
import { descendantsOf } from "../processes.ts";

/** USER_HZ, which Linux fixes for programs. */
const ticksPerSecond = 100;

/**
 * Returns milliseconds of processor time of the process and everything it has started. An ended process counts with its
 * parent.
 */
export function cpuMsOf(pid: number): number {
  return [pid, ...descendantsOf(pid)].reduce((sum, one) => sum + ownCpuMs(one, true), 0);
}

/** Returns milliseconds of the process alone, or with its children that have ended and that it has waited for. */
export function ownCpuMs(pid: number, withEnded: boolean): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // utime, stime, cutime, cstime: fields 14 to 17 of the file.
    const ticks = fields.slice(11, withEnded ? 15 : 13).reduce((sum, field) => sum + Number(field), 0);
    return ticks * (1_000 / ticksPerSecond);
  } catch {
    return 0;
  }
}
