// Lets the kernel end sandboxes before this process if the machine has no memory left.

import { readFileSync, writeFileSync } from "node:fs";

const ownScore = "/proc/self/oom_score_adj";
/** The kernel ends processes with the highest value before all others. */
const firstScore = "1000";

/**
 * Calls `start`, which starts a process. The kernel ends that process and its descendants before this one. A process
 * inherits the value of its parent, so it is this process's while `start` runs. If it were set afterwards, the child
 * could start others before. Does nothing more than `start` where the kernel has no such value or refuses it.
 */
export function startBelowInMemory<T>(start: () => T): T {
  let own: string;
  try {
    own = readFileSync(ownScore, "latin1").trim();
    writeFileSync(ownScore, firstScore);
  } catch {
    return start();
  }
  try {
    return start();
  } finally {
    writeFileSync(ownScore, own);
  }
}
