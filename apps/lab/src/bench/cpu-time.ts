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
  return [pid, ...descendantsOf(pid)].reduce((sum, one) => sum + ownTicks(one), 0) * (1_000 / ticksPerSecond);
}

/** Its own time, and that of children it has waited for. */
function ownTicks(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // utime, stime, cutime, cstime: fields 14 to 17 of the file.
    return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  } catch {
    return 0;
  }
}
