// A sandbox around a program in namespaces: claims, watches and kills it, whichever driver created the
// namespaces.

import { setTimeout as delay } from "node:timers/promises";
import type { Egress } from "@dari/gateway";
import { insidePaths, memoryDirs } from "./paths-inside.ts";
import type { Launcher } from "./launcher.ts";
import type { Background } from "../launch/background.ts";
import { decodeLauncherExit } from "../launch/launch-process.ts";
import { createNamespaceTree } from "../processes/kill-process-tree.ts";
import { stopProcesses, type StoppedSandbox } from "./stop-processes.ts";
import { diskTmpOf, removeDiskTmp, openWorkingFolders } from "../slots/slot.ts";
import type { Exceeded, Sandbox, SandboxExit, SandboxLimits, SandboxSpec, SandboxUsage, SlotMounts } from "../types.ts";
import { watchSandbox, type Watch } from "../limits/watch-sandbox.ts";

/** The kernel frees a group some milliseconds after its last process has ended. An earlier removal fails. */
const removeGroupAfterMs = 20;

export interface SandboxResources {
  readonly program: Pick<Launcher, "launched" | "group" | "init" | "programRan">;
  readonly egress: Egress | undefined;
  readonly background: Background;
  /** Whether control groups limit memory and processes of the whole sandbox. */
  readonly isBounded: boolean;
  /** The process whose descendants this kernel sees, and their limits (default: the first process, and the spec's). */
  readonly watched?: { readonly pid: number; readonly limits: SandboxLimits };
  /** The host user that the sandbox runs as (default: this process's user). */
  readonly hostUser?: number | undefined;
  /** Number of mounts at `workspace` and `state` that are below the mounts of the slot (default: 0). */
  readonly mountsBelow?: number;
  /** Once aborted, the sandbox's usage is no longer checked against its limits. */
  readonly unwatched?: AbortSignal | undefined;
  /** The launcher's name, for the error if the program was never executed. */
  readonly name: string;
  /** Returns an exceeded limit that only the driver knows. */
  exceeded?(): Exceeded | undefined;
  /** Called before the processes of the sandbox are killed. */
  onKill?(): void;
  /** Called once all processes of the sandbox are dead. */
  onEnd?(): void;
}

export function createNamespacedSandbox(spec: SandboxSpec, held: SandboxResources): Sandbox {
  const { egress, background, hostUser } = held;
  const { launched, group, init, programRan } = held.program;
  const tree = createNamespaceTree({ launcherPid: launched.pid, launcherExited: launched.exited, init });
  let dir = spec.slotDir;
  const ownership = { owner: hostUser, maker: spec.mounts };
  let folders = openWorkingFolders(dir, ownership);
  const watch = watchHeld(
    spec,
    held,
    () => dir,
    () => void tree.kill().catch(() => {}),
  );
  let usage: SandboxUsage = {};
  let resting: StoppedSandbox | undefined;
  function readUsage(): void {
    const exceeded = group?.exceeded() ?? watch.exceeded() ?? held.exceeded?.();
    usage = { exceeded, peakMemoryBytes: group?.peakMemoryBytes() };
    if (group !== undefined) background.add(delay(removeGroupAfterMs).then(() => group.remove()));
  }
  async function kill(): Promise<void> {
    held.onKill?.();
    await tree.kill();
    watch.stop();
    egress?.close();
    readUsage();
    await Promise.all([spec.mounts?.detach(spec.slotDir), folders.removeUnused(), removeDiskTmp(spec)]);
    held.onEnd?.();
  }
  async function claim(turnDir = spec.slotDir): Promise<void> {
    let attaching: Promise<void> | undefined;
    if (turnDir !== spec.slotDir) {
      if (spec.mounts === undefined) throw new TypeError("only a sandbox with mounts can be claimed for a directory");
      dir = turnDir;
      watch.restart();
      folders = openWorkingFolders(turnDir, ownership);
      attaching = spec.mounts.attach(turnDir, spec.slotDir);
    }
    const [attached, made] = await Promise.allSettled([attaching, folders.create()]);
    // If a turn's directory cannot be used, the first error explains why.
    for (const one of [attached, made]) if (one.status === "rejected") throw one.reason;
    await resting?.wake();
    resting = undefined;
  }
  async function rest(mounts: SlotMounts, kept: number | undefined): Promise<string | undefined> {
    const { mountsBelow = 0 } = held;
    const stopped = await stopProcesses({ init: await init, mounts, slotDir: spec.slotDir, mountsBelow, kept });
    if (typeof stopped === "string") return stopped;
    resting = stopped;
    egress?.settle();
    dir = spec.slotDir;
    await folders.removeUnused();
    return group?.exceeded() === undefined ? undefined : "the sandbox exceeded one of its limits";
  }
  let killed: Promise<void> | undefined;
  return {
    channel: launched.channel,
    stdout: launched.stdout,
    stderr: launched.stderr,
    paths: insidePaths,
    pid: launched.pid,
    exited: Promise.all([launched.exited, programRan]).then(([exit, ran]) => describeExit(exit, ran, held.name)),
    claim,
    ...restOf(held, spec.mounts, rest, () => resting),
    kill: () => (killed ??= kill()),
    memoryBytes: () => group?.memoryBytes(),
    collect: () => Promise.resolve(usage),
  };
}

function watchHeld(spec: SandboxSpec, held: SandboxResources, dir: () => string, onExceeded: () => void): Watch {
  const { mounts, limits, slotDir } = spec;
  const watch = watchSandbox({
    slotDir: dir,
    limits: held.watched?.limits ?? limits,
    init: held.program.init.then((one) => (one === undefined ? undefined : (held.watched?.pid ?? one.pid))),
    isKernel: held.watched !== undefined,
    isBounded: held.isBounded,
    memoryDirs,
    diskTmp: diskTmpOf(spec),
    hiddenDirs: () => mounts?.hiddenBy(slotDir) ?? [],
    cpuSeconds: held.program.group?.cpuSeconds,
    refusedProcesses: held.program.group?.refusedProcesses,
    onExceeded,
  });
  held.unwatched?.addEventListener("abort", () => watch.stop());
  return watch;
}

/**
 * Returns `rest` and `isStill`, if the sandbox can be kept: only a directory that was attached by mounts can be
 * detached, and a separate kernel is not stopped together with its program.
 */
function restOf(
  { watched }: SandboxResources,
  mounts: SlotMounts | undefined,
  rest: (mounts: SlotMounts, kept?: number) => Promise<string | undefined>,
  resting: () => StoppedSandbox | undefined,
): Pick<Sandbox, "rest" | "isStill"> {
  if (mounts === undefined || watched !== undefined) return {};
  return { rest: (kept) => rest(mounts, kept), isStill: () => resting()?.isStill() ?? Promise.resolve(true) };
}

function describeExit(exit: SandboxExit, programRan: boolean, name: string): SandboxExit {
  if (programRan || exit.signal !== null || exit.code === null || exit.code > 128) return decodeLauncherExit(exit);
  return { ...exit, startError: `${name} could not set up the sandbox or execute the program; see its stderr` };
}
