// Lowers the processor share of sandboxes without control groups. The kernel then schedules each session (setsid) as a
// group. Only the priority of the group has an effect, not that of its processes.

import { open, readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { readProcess } from "../processes/read-proc.ts";

/** The nice value of sandbox processes: a ninth of the platform's own weight. */
const sessionNice = "10";
/** The pause before a retry. For users other than root, the kernel allows ten such changes a second in total. */
const againAfterMs = 150;

export interface SessionWeights {
  /** Lowers the sessions of these processes. Call it repeatedly. Never rejects. */
  lower(pids: readonly number[]): Promise<void>;
}

export function createSessionWeights(): SessionWeights {
  return {
    async lower(pids) {
      // Skip this process's own session. Each program that this process starts has a session of its own.
      const lowered = new Set([0, readProcess(process.pid)?.session ?? 0]);
      for (const pid of pids) {
        // Any process of a session identifies its group, because the first process may have ended.
        const session = readProcess(pid)?.session;
        if (session === undefined || lowered.has(session)) continue;
        if (!(await lowerSession(pid))) return;
        lowered.add(session);
      }
    },
  };
}

/** Returns false if the kernel asks to retry later. */
async function lowerSession(pid: number): Promise<boolean> {
  const file = `/proc/${pid}/autogroup`;
  if (/ nice 10$/m.test(await readFile(file, "latin1").catch(() => " nice 10"))) return true;
  const code = await writeTo(file, sessionNice);
  if (code !== "EAGAIN") return true;
  await delay(againAfterMs, undefined, { ref: false });
  return (await writeTo(file, sessionNice)) !== "EAGAIN";
}

/** Returns the system's error code if it fails. Does not create a missing file. */
async function writeTo(file: string, text: string): Promise<string | undefined> {
  try {
    await using handle = await open(file, "r+");
    await handle.write(text);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}
