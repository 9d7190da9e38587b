// A process tree that is identified by its user. confine.c of @dari/native kills the whole tree on request, or when
// this process has ended.

import { once } from "node:events";
import type { Duplex } from "node:stream";
import type { LaunchedProcess } from "../launch/launch-process.ts";
import type { ProcessTree } from "../processes/kill-process-tree.ts";
import { withTimeout } from "../launch/with-timeout.ts";
import { killProcessesOfUser } from "../launch/run-native.ts";

/** Longer than the program's own time limit. */
const killDeadlineMs = 30_000;
/** The native program's exit code if a process survived. */
const leftOver = 124;

export function createConfinedTree(o: { launched: LaunchedProcess; control: Duplex; user: number }): ProcessTree {
  const { launched, control, user } = o;
  return {
    async kill() {
      const closed: Promise<unknown> = control.closed ? Promise.resolve() : once(control, "close");
      control.end();
      const exit = await withTimeout(killDeadlineMs, launched.exited);
      // The native program has killed everything, unless it was killed itself.
      if (exit?.signal === null && exit.code !== leftOver) return;
      if (exit === undefined) process.kill(launched.pid, "SIGKILL");
      await launched.exited;
      // If the starter died, the exit is only assumed. The native program kills all processes of this user until it
      // ends, so wait for its end.
      await withTimeout(killDeadlineMs, closed);
      control.destroy();
      await killProcessesOfUser(user);
    },
  };
}
