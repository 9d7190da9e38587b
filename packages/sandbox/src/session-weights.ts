// Shares of the processors where no control group bounds them. The kernel schedules each session (setsid) as a group
// of its own there, in which the priority of its processes counts for nothing; the group's priority does.

import { open, readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { readProcess } from "./proc.ts";

/** The nice value of sandbox processes: a ninth of the weight of the platform's own. */
const sessionNice = "10";
/** The kernel allows such a change at most ten times a second, in all, to users other than root. */
const againAfterMs = 150;

export interface SessionWeights {
  /** Lowers the sessions of these processes. To be called again and again. Never rejects. */
  lower(pids: readonly number[]): Promise<void>;
}

export function sessionWeights(): SessionWeights {
  return {
    async lower(pids) {
      // A program that this process has started is in a session of its own; this one's is never lowered.
      const lowered = new Set([0, (await readProcess(process.pid))?.session ?? 0]);
      for (const pid of pids) {
        // Any process of a session leads to its group: the first one may have ended.
        const session = (await readProcess(pid))?.session;
        if (session === undefined || lowered.has(session)) continue;
        if (!(await lowerSession(pid))) return;
        lowered.add(session);
      }
    },
  };
}

/** False where the kernel wants to be asked later. */
async function lowerSession(pid: number): Promise<boolean> {
  const file = `/proc/${pid}/autogroup`;
  if (/ nice 10$/m.test(await readFile(file, "latin1").catch(() => " nice 10"))) return true;
  const code = await writeTo(file, sessionNice);
  if (code !== "EAGAIN") return true;
  await delay(againAfterMs, undefined, { ref: false });
  return (await writeTo(file, sessionNice)) !== "EAGAIN";
}

/** The system's code where it refuses. A file that is not there is not made. */
async function writeTo(file: string, text: string): Promise<string | undefined> {
  try {
    await using handle = await open(file, "r+");
    await handle.write(text);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}
