// Checks the usage of a running sandbox several times a second, and reports the first exceeded limit.

import { join } from "node:path";
import { createActivityMeter, type ActivityMeter } from "./activity-meter.ts";
import { measureCpu } from "./measure-cpu.ts";
import { watchDisk } from "./measure-disk.ts";
import { measureOpenFiles, type OpenFiles } from "./measure-open-files.ts";
import { createKernelMemoryMeter } from "./estimate-kernel-memory.ts";
import { childrenOf } from "../processes/read-proc.ts";
import { createSessionWeights } from "./lower-session-weights.ts";
import { watchSharedMemory } from "./measure-shared-memory.ts";
import { measureTree } from "./measure-process-tree.ts";
import type { Exceeded, SandboxLimits } from "../types.ts";

export interface Watch {
  /** Returns the first exceeded limit. */
  exceeded(): Exceeded | undefined;
  /** Starts the time to the next check again, so that a short turn in a preloaded sandbox ends before it. */
  restart(): void;
  stop(): void;
}

/** The time between two checks of one kind, and from a start to the first, in milliseconds. */
const checkEveryMs = 200;
/**
 * A round of checks takes up to 0.5 ms of this process. So that hundreds of active sandboxes do not occupy it, each is
 * checked less often the more there are: pause per sandbox, and longest pause, in milliseconds.
 */
const pauseEachMs = 5;
const pauseMaxMs = 2_000;
/**
 * A program counts as a fork bomb if the kernel refused it processes before this many checks in a row. A program that
 * stops creating processes at the limit does not.
 */
const refusedChecksMax = 5;

export interface WatchOptions {
  /** Returns the directory whose folders are checked. It changes when a turn claims or leaves the sandbox. */
  slotDir: () => string;
  /** The folders of the slot that count for the disk limit (default: workspace and state). */
  readonly folders?: readonly string[];
  /** The directory of a /tmp on the disk, with its own limit. */
  readonly diskTmp?: { readonly dir: string; readonly bytes: number } | undefined;
  /** Other directories that count for the disk limit. */
  hiddenDirs?(): readonly string[];
  /** The sandbox's in-memory file systems. */
  readonly memoryDirs?: readonly string[];
  readonly limits: SandboxLimits;
  /** The process whose descendants are watched. */
  readonly init: Promise<number | undefined>;
  /**
   * Whether `init` runs a separate kernel. Open files of the sandbox are then files that the children of `init` hold,
   * and all threads of a child share its descriptors (default: false).
   */
  readonly isKernel?: boolean;
  /** Whether control groups limit memory and processes. */
  readonly isBounded: boolean;
  /** Returns the processor time so far, in seconds; given if a control group counts it. */
  readonly cpuSeconds?: (() => number | undefined) | undefined;
  /** Returns how many processes the kernel refused so far; given if a control group limits processes. */
  readonly refusedProcesses?: (() => number) | undefined;
  /** Called at most once, when the first limit is exceeded. The caller ends the sandbox. */
  onExceeded(): void;
}

/** Number of sandboxes that this process watches. */
let watched = 0;

/** Returns the pause after a round of checks, in milliseconds; 0 if `checkEveryMs` suffices. */
export function pauseBetweenChecks(sandboxes: number): number {
  const pauseMs = sandboxes * pauseEachMs;
  return pauseMs <= checkEveryMs ? 0 : Math.min(pauseMaxMs, pauseMs);
}

export function watchSandbox(o: WatchOptions): Watch {
  watched += 1;
  let found: Exceeded | undefined;
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;
  let notBefore = 0;
  let checks: readonly Check[] = [];
  const activity = createActivityMeter(o.cpuSeconds ?? (() => undefined));

  function lookAll(): void {
    const now = performance.now();
    if (now < notBefore) return;
    // Without control groups, the checks are what limits memory and processes.
    notBefore = o.isBounded ? now + pauseBetweenChecks(watched) : 0;
    if (!activity.isDue()) return;
    for (const look of checks) void look().then((seen) => seen !== undefined && conclude(seen));
  }

  function conclude(seen: Exceeded): void {
    if (found !== undefined) return;
    found = seen;
    clearInterval(timer);
    if (!isStopped) o.onExceeded();
  }

  function restart(): void {
    clearInterval(timer);
    activity.wake();
    notBefore = 0;
    if (found !== undefined || isStopped || checks.length === 0) return;
    timer = setInterval(lookAll, checkEveryMs);
    timer.unref();
  }

  void o.init.then((init) => {
    checks = checksOf(o, init).map((check) => atIntervals(check, activity));
    restart();
  });
  return {
    exceeded: () => found,
    restart,
    stop() {
      if (!isStopped) watched -= 1;
      isStopped = true;
      clearInterval(timer);
    },
  };
}

/** Returns the checks of the limits that the sandbox has. */
function checksOf(o: WatchOptions, init: number | undefined): Check[] {
  const { limits, isBounded, diskTmp, refusedProcesses } = o;
  const isTreeBound = !isBounded && (limits.memoryBytes !== undefined || limits.processes !== undefined);
  const tree = init === undefined || !isTreeBound ? undefined : treeWatchOf(o, init);
  const isForkBound = isBounded && limits.processes !== undefined && refusedProcesses !== undefined;
  const checks = [
    tree?.ofProcesses,
    limits.memoryBytes === undefined ? undefined : tree?.ofSharedMemory,
    limits.cpuSeconds === undefined ? undefined : () => cpuExceeded(o, init),
    limits.diskBytes === undefined && limits.diskFiles === undefined ? undefined : diskWatchOf(o, init),
    diskTmp === undefined ? undefined : tmpWatchOf(diskTmp),
    isForkBound ? forkWatchOf(refusedProcesses) : undefined,
  ];
  return checks.filter((check) => check !== undefined);
}

/** Returns the check so that a call during a slow check, or soon after it, does nothing. A failed check is repeated. */
function atIntervals(check: Check, activity: ActivityMeter): Check {
  let notBefore = 0;
  return async () => {
    if (performance.now() < notBefore) return undefined;
    notBefore = Infinity;
    const endCheck = activity.startCheck();
    try {
      return await check();
    } catch {
      return undefined;
    } finally {
      endCheck();
      notBefore = performance.now() + checkEveryMs / 2;
    }
  };
}

type Check = () => Promise<Exceeded | undefined>;

/**
 * Returns the check of the disk. Its directories change when a turn claims a preloaded sandbox, and when the sandbox is
 * stopped after the turn.
 */
function diskWatchOf(o: WatchOptions, init: number | undefined): Check {
  const { diskBytes = Infinity, diskFiles = Infinity } = o.limits;
  const folders = o.folders ?? ["workspace", "state"];
  const dirs = (): string[] => [...folders.map((name) => join(o.slotDir(), name)), ...(o.hiddenDirs?.() ?? [])];
  const openFiles = async (): Promise<OpenFiles> => {
    if (init === undefined) return measureOpenFiles([]);
    if (o.isKernel === true) return measureOpenFiles(childrenOf(init), undefined, undefined, "as one");
    return measureOpenFiles((await measureTree(init)).pids);
  };
  const disk = watchDisk(dirs, { bytes: diskBytes, files: diskFiles }, openFiles);
  return async () => ((await disk.isOver()) ? "disk" : undefined);
}

/**
 * Returns the check of a /tmp on the disk. It counts only files that have a name: deleted files that a process holds
 * open count for the disk limit instead.
 */
function tmpWatchOf({ dir, bytes }: { readonly dir: string; readonly bytes: number }): Check {
  const none = { disk: { bytes: 0, files: 0 }, underWay: 0, isPartial: false };
  const tmp = watchDisk(
    () => [dir],
    { bytes, files: Infinity },
    () => Promise.resolve(none),
  );
  return async () => ((await tmp.isOver()) ? "tmp" : undefined);
}

/**
 * Returns two checks of the process tree. One measures the number of processes and their own memory, which is fast. The
 * other measures shared memory, which can take longer. Both compare the sum of own, shared and kernel memory.
 */
function treeWatchOf(o: WatchOptions, init: number): { ofProcesses: Check; ofSharedMemory: Check } {
  const { memoryBytes = Infinity, processes = Infinity } = o.limits;
  const shared = watchSharedMemory(init, o.memoryDirs ?? [], memoryBytes);
  const weights = createSessionWeights();
  let lowering: Promise<void> | undefined;
  let ownBytes = 0;
  let sharedBytes = 0;
  let pids: readonly number[] = [];
  let kernelBytes = 0;
  const kernel = createKernelMemoryMeter(init);
  const isOver = (): boolean => ownBytes + sharedBytes + kernelBytes > memoryBytes;
  return {
    async ofProcesses() {
      const use = await measureTree(init, processes);
      if (use.processes > processes) return "processes";
      ({ memoryBytes: ownBytes, pids } = use);
      kernelBytes = o.limits.memoryBytes === undefined ? 0 : await kernel.bytes(pids);
      lowering ??= weights.lower([init, ...pids]).finally(() => (lowering = undefined));
      return isOver() ? "memory" : undefined;
    },
    async ofSharedMemory() {
      sharedBytes = await shared.bytes(pids, Math.max(0, memoryBytes - ownBytes));
      return isOver() ? "memory" : undefined;
    },
  };
}

/** Returns the check for fork bombs, which keep a processor busy with refused system calls at their limit. */
function forkWatchOf(refusedProcesses: () => number): Check {
  let before = 0;
  let refusedChecks = 0;
  return async () => {
    const now = refusedProcesses();
    refusedChecks = now > before ? refusedChecks + 1 : 0;
    before = now;
    return refusedChecks >= refusedChecksMax ? "processes" : undefined;
  };
}

async function cpuExceeded(o: WatchOptions, init: number | undefined): Promise<Exceeded | undefined> {
  const { cpuSeconds = Infinity } = o.limits;
  const counted = o.cpuSeconds?.();
  if (counted === undefined && init === undefined) return undefined;
  const used = counted ?? (await measureCpu(init!, (await measureTree(init!)).pids));
  return used > cpuSeconds ? "cpu" : undefined;
}
