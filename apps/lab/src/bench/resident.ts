// The memory of a process that is in RAM.

import { readFileSync } from "node:fs";

/** Returns the resident memory of a process, in KiB. */
export function residentKiBOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}
