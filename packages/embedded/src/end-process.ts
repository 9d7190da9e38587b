// Ends one process that we own, gently first. Never by name, never a group.

import { isSameProcessAlive, type ProcessIdentity } from "./process-identity.ts";
import { poll } from "./poll.ts";

export interface Step {
  readonly signal: NodeJS.Signals;
  /** How long to wait before the next signal is sent. */
  readonly waitMs: number;
}

/** Sends the signals in turn until the process is gone. Throws if it survives all of them. */
export async function endProcess(target: ProcessIdentity, steps: readonly Step[]): Promise<void> {
  for (const { signal, waitMs } of steps) {
    if (!isSameProcessAlive(target)) return;
    try {
      process.kill(target.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ESRCH") return;
      throw error;
    }
    const gone = await poll(() => (isSameProcessAlive(target) ? undefined : true), { timeoutMs: waitMs, everyMs: 10 });
    if (gone) return;
  }
  throw new Error(`Process ${target.pid} is still alive after ${steps.map((step) => step.signal).join(", ")}`);
}
