// Starts bubblewrap in its control group with limits. The process waits for its options until `run` is called.

import { readFileSync, writeFileSync } from "node:fs";
import type { Duplex, Readable } from "node:stream";
import type { ControlGroupDirs } from "../limits/control-groups.ts";
import { enterCommandInside } from "../namespaces/enter-input.ts";
import { launchInGroup } from "../limits/launch-in-group.ts";
import type { LaunchedProcess, ServerHandler, Starter } from "../launch/launch-process.ts";
import { readProcess, type ProcessIdentity } from "../processes/read-proc.ts";
import { systemCallFilter } from "../seccomp/filter.ts";
import type { Launcher } from "../namespaces/launcher.ts";
import type { SandboxLimits } from "../types.ts";

/** Number of the launcher's pipes, from descriptor 1 on. */
export const launcherPipes = 8;

/**
 * Bubblewrap's options for a sandbox whose ids are mapped from outside: it waits for one byte before `enter`'s words.
 * That requires `--info-fd`, which reports the same as the status pipe.
 */
export const mappedUserArguments = ["--userns-block-fd", "6"] as const;

/** @throws SandboxStartError */
export async function startLauncher(o: {
  bwrap: string;
  /** A starter with `launcherPipes` pipes. */
  starter: Starter;
  groups: ControlGroupDirs | undefined;
  limits: SandboxLimits;
  /** The system call filter (default: the filter of ordinary sandboxes). */
  filter?: Buffer | undefined;
}): Promise<Launcher> {
  const { filter = systemCallFilter() } = o;
  let onServer: ServerHandler | undefined;
  let isGone = false;
  const { launched, group } = await launchInGroup(o.groups, o.limits, {
    command: o.bwrap,
    args: [
      // A host name needs a namespace, which only the later options create. So if this process dies before it sends the
      // options, bubblewrap fails instead of starting a sandbox without options.
      ...["--hostname", "sandbox", "--args", "5", "--json-status-fd", "4", "--info-fd", String(launcherPipes)],
      ...["--seccomp", "7", "--", ...enterCommandInside, "6"],
    ],
    // Options are sent through a pipe: bubblewrap must not see the program's environment (it would obey LD_PRELOAD
    // outside the sandbox), and every user of the host can read a command line.
    env: {},
    cwd: "/",
    starter: o.starter,
    complaintsTo: 2,
    onServer: (port, server) => onServer?.(port, server),
  });
  void launched.exited.then(() => (isGone = true));
  // Read the status before any await, because the process may end at any time.
  const status = readStatus(launched.launcherPipes[0]!);
  const [, optionsPipe, wordsPipe, filterPipe] = launched.launcherPipes as [Duplex, Duplex, Duplex, Duplex];
  filterPipe.end(filter);
  launched.launcherPipes.at(-1)!.resume();
  return {
    launched,
    group,
    init: status.init,
    programRan: status.programRan,
    get isGone() {
      return isGone;
    },
    run(input) {
      onServer = input.onServer;
      const { idMap, words } = input;
      if (idMap === undefined) wordsPipe.end(words);
      else {
        awaitMaps(launched);
        status.onPid((pid) => {
          wordsPipe.end(writeIdMaps(pid, idMap) ? `\n${words}` : "");
          unmapped.delete(launched.pid);
        });
      }
      optionsPipe.end(input.options.map((option) => `${option}\0`).join(""));
    },
    async discard() {
      if (!isGone) process.kill(launched.pid, "SIGKILL");
      await launched.exited;
      await group?.remove();
    },
  };
}

/** The pids of launchers whose sandbox's first process has no id maps yet. */
const unmapped = new Set<number>();

let isExitHandled = false;

function awaitMaps({ pid, exited }: LaunchedProcess): void {
  if (!isExitHandled) process.once("exit", endUnmapped);
  isExitHandled = true;
  unmapped.add(pid);
  void exited.then(() => unmapped.delete(pid));
}

/**
 * Kills the first processes of sandboxes without id maps when this process exits. Before it has its maps, such a
 * process does not die with its launcher, and would wait forever. If this process is killed, the next start ends it
 * (`sweep` of control groups).
 */
function endUnmapped(): void {
  for (const pid of unmapped) {
    try {
      process.kill(pid, "SIGSTOP");
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").split(" ").filter(Boolean);
      for (const child of [...children.map(Number), pid]) process.kill(child, "SIGKILL");
    } catch {
      // The process has ended.
    }
  }
}

/** Writes the id maps of a process. If this returns false, bubblewrap ends with the error that an id is not mapped. */
function writeIdMaps(pid: number, idMap: string): boolean {
  try {
    for (const name of ["uid_map", "gid_map"]) writeFileSync(`/proc/${pid}/${name}`, idMap);
    return true;
  } catch {
    return false;
  }
}

interface Status extends Pick<Launcher, "init" | "programRan"> {
  /** Calls `listener` once the sandbox's first process has a pid. */
  onPid(listener: (pid: number) => void): void;
}

/** Bubblewrap reports an exit code on its status pipe only if it could execute the program. */
function readStatus(pipe: Readable): Status {
  let onPid: ((pid: number) => void) | undefined;
  const init = Promise.withResolvers<ProcessIdentity | undefined>();
  const programRan = Promise.withResolvers<boolean>();
  let seen = "";
  pipe.setEncoding("latin1");
  pipe.on("data", (chunk: string) => {
    seen += chunk;
    const pid = /"child-pid": (\d+)\D/.exec(seen)?.[1];
    if (pid === undefined) return;
    onPid?.(Number(pid));
    onPid = undefined;
    init.resolve(readProcess(Number(pid)));
  });
  pipe.once("close", () => {
    if (!seen.includes('"child-pid"')) init.resolve(undefined);
    programRan.resolve(seen.includes('"exit-code"'));
  });
  return { init: init.promise, programRan: programRan.promise, onPid: (listener) => void (onPid = listener) };
}
