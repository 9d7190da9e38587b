// Checks a running sandbox several times a second and ends it if it exceeds a limit.

import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { measureCpu } from "./cpu-use.ts";
import { watchDisk } from "./disk-use.ts";
import { measureOpenFiles, type OpenFiles } from "./open-files.ts";
import { createKernelMemoryMeter } from "./kernel-memory.ts";
import { childrenOf } from "./proc.ts";
import { createSessionWeights } from "./session-weights.ts";
import { watchSharedMemory } from "./shared-memory.ts";
import { measureTree } from "./tree-use.ts";
import type { Exceeded, SandboxLimits } from "./types.ts";

export interface Watch {
  /** Returns the first exceeded limit. */
  exceeded(): Exceeded | undefined;
  stop(): void;
}

const lookEveryMs = 200;
/**
 * A program that is refused processes in this many checks in a row is a fork bomb. One that copes with the limit is
 * not.
 */
const refusedLooksMax = 5;

export interface WatchOptions {
  slotDir: () => string;
  /** The folders of the slot that count for the disk limit (default: workspace and state). */
  readonly folders?: readonly string[];
  /** A /tmp on the disk, which has its own limit. */
  readonly diskTmp?: { readonly dir: string; readonly bytes: number } | undefined;
  /** Other directories that count for the disk limit. */
  hiddenDirs?(): readonly string[];
  /** The sandbox's in-memory file systems. */
  readonly memoryDirs?: readonly string[];
  readonly limits: SandboxLimits;
  /** The process whose descendants are watched. */
  readonly init: Promise<number | undefined>;
  /**
   * Whether they are a separate kernel: its children hold the files it has open, and their threads share descriptors.
   */
  readonly isKernel?: boolean;
  /** Whether control groups limit memory and processes. */
  readonly isBounded: boolean;
  /** Processor time so far, if a control group counts it. */
  readonly cpuSeconds?: (() => Promise<number | undefined>) | undefined;
  /** How many processes were refused so far, if a control group limits them. */
  readonly refusedProcesses?: (() => Promise<number>) | undefined;
  /** Called at most once. */
  onExceeded(): void;
}

export function watchSandbox(o: WatchOptions): Watch {
  const stopped = new AbortController();
  let found: Exceeded | undefined;
  const isDiskBound = o.limits.diskBytes !== undefined || o.limits.diskFiles !== undefined;
  const isTreeBound = !o.isBounded && (o.limits.memoryBytes !== undefined || o.limits.processes !== undefined);
  const isCpuBound = o.limits.cpuSeconds !== undefined;
  const isForkBound = o.isBounded && o.limits.processes !== undefined && o.refusedProcesses !== undefined;

  async function run(): Promise<void> {
    const init = await o.init;
    const isDiskOver = diskWatchOf(o, init);
    const tree = init === undefined || !isTreeBound ? undefined : treeWatchOf(o, init);
    // Independently, so that a slow check does not delay the others.
    await Promise.all([
      keepLooking(tree?.ofProcesses),
      keepLooking(o.limits.memoryBytes === undefined ? undefined : tree?.ofSharedMemory),
      keepLooking(isCpuBound ? () => cpuExceeded(o, init) : undefined),
      keepLooking(isDiskBound ? isDiskOver : undefined),
      keepLooking(o.diskTmp === undefined ? undefined : tmpWatchOf(o.diskTmp)),
      keepLooking(isForkBound ? forkWatchOf(o.refusedProcesses!) : undefined),
    ]);
  }

  async function keepLooking(look: Look | undefined): Promise<void> {
    while (look !== undefined && found === undefined && !stopped.signal.aborted) {
      // A failed check is repeated.
      const seen = await look().catch(() => undefined);
      if (seen !== undefined) return conclude(seen);
      await delay(lookEveryMs, undefined, { ref: false, signal: stopped.signal }).catch(() => {});
    }
  }

  function conclude(seen: Exceeded): void {
    if (found !== undefined) return;
    found = seen;
    if (!stopped.signal.aborted) o.onExceeded();
  }
  const isBound = isDiskBound || isTreeBound || isCpuBound || isForkBound || o.diskTmp !== undefined;
  if (isBound) void run();
  return { exceeded: () => found, stop: () => stopped.abort() };
}

type Look = () => Promise<Exceeded | undefined>;

/** The directories change when a waiting sandbox is claimed, and when it is stopped between turns. */
function diskWatchOf(o: WatchOptions, init: number | undefined): Look {
  const { diskBytes = Infinity, diskFiles = Infinity } = o.limits;
  const folders = o.folders ?? ["workspace", "state"];
  const dirs = (): string[] => [...folders.map((name) => join(o.slotDir(), name)), ...(o.hiddenDirs?.() ?? [])];
  const openFiles = async (): Promise<OpenFiles> => {
    if (init === undefined) return measureOpenFiles([]);
    if (o.isKernel === true) return measureOpenFiles(await childrenOf(init), undefined, undefined, "as one");
    return measureOpenFiles((await measureTree(init)).pids);
  };
  const disk = watchDisk(dirs, { bytes: diskBytes, files: diskFiles }, openFiles);
  return async () => ((await disk.isOver()) ? "disk" : undefined);
}

/** Files without a name that processes hold open count for the disk. */
function tmpWatchOf({ dir, bytes }: { readonly dir: string; readonly bytes: number }): Look {
  const none = { disk: { bytes: 0, files: 0 }, underWay: 0, isPartial: false };
  const tmp = watchDisk(
    () => [dir],
    { bytes, files: Infinity },
    () => Promise.resolve(none),
  );
  return async () => ((await tmp.isOver()) ? "tmp" : undefined);
}

/** The number of processes and their own memory are known soon. Measuring shared memory can take longer. */
function treeWatchOf(o: WatchOptions, init: number): { ofProcesses: Look; ofSharedMemory: Look } {
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

/** At its limit, a fork bomb keeps a processor busy with refusals. */
function forkWatchOf(refusedProcesses: () => Promise<number>): Look {
  let before = 0;
  let looks = 0;
  return async () => {
    const now = await refusedProcesses();
    looks = now > before ? looks + 1 : 0;
    before = now;
    return looks >= refusedLooksMax ? "processes" : undefined;
  };
}

async function cpuExceeded(o: WatchOptions, init: number | undefined): Promise<Exceeded | undefined> {
  const { cpuSeconds = Infinity } = o.limits;
  const counted = await o.cpuSeconds?.();
  if (counted === undefined && init === undefined) return undefined;
  const used = counted ?? (await measureCpu(init!, (await measureTree(init!)).pids));
  return used > cpuSeconds ? "cpu" : undefined;
}
