// The process that waits to become a sandbox, whichever driver starts it.

import type { ControlGroup } from "../limits/control-groups.ts";
import type { LaunchedProcess, ServerHandler } from "../launch/launch-process.ts";
import type { ProcessIdentity } from "../processes/read-proc.ts";

export interface Launcher {
  readonly launched: LaunchedProcess;
  readonly group: ControlGroup | undefined;
  /** The first process of the sandbox; undefined if bubblewrap ended without creating one. */
  readonly init: Promise<ProcessIdentity | undefined>;
  /** Resolves with false if bubblewrap ended without executing the program. */
  readonly programRan: Promise<boolean>;
  /** Whether bubblewrap has ended. */
  readonly isGone: boolean;
  /**
   * Starts the program. `options`: bubblewrap's. `words`: the input of `enter`. `onServer`: gets the sockets that
   * `enter` hands over. `idMap`: written for the sandbox's user namespace; with `mappedUserArguments` among the
   * options, bubblewrap waits for it. Call it once.
   */
  run(o: {
    options: readonly string[];
    words: string;
    idMap?: string | undefined;
    onServer?: ServerHandler | undefined;
  }): void;
  /** Ends an unused launcher with its group. Never rejects. */
  discard(): Promise<void>;
}
