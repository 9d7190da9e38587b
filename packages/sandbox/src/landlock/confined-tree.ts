// A process tree identified by its user: confine.c of @dari/native kills all of it on request, or when this process is
// gone.

import { once } from "node:events";
import type { Duplex } from "node:stream";
import type { Launched } from "../launch.ts";
import type { ProcessTree } from "../process-tree.ts";
import { within } from "../within.ts";
import { sweep } from "./confine.ts";

/** Longer than the program's own time limit. */
const killDeadlineMs = 30_000;
/** Its exit code if something survived. */
const leftOver = 124;

export function confinedTree(o: { launched: Launched; control: Duplex; user: number }): ProcessTree {
  const { launched, control, user } = o;
  return {
    async kill() {
      const closed: Promise<unknown> = control.closed ? Promise.resolve() : once(control, "close");
      control.end();
      const exit = await within(killDeadlineMs, launched.exited);
      // It has killed everything, unless it was killed itself.
      if (exit?.signal === null && exit.code !== leftOver) return;
      if (exit === undefined) process.kill(launched.pid, "SIGKILL");
      await launched.exited;
      // If its starter died, the exit is only assumed. Until it has really ended, it kills all processes of this user.
      await within(killDeadlineMs, closed);
      control.destroy();
      await sweep(user);
    },
  };
}
