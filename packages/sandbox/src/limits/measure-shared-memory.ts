// Measures memory that belongs to no single process: file systems in memory, and files and segments that processes
// share. For machines without control groups.

import { readFile, stat, statfs } from "node:fs/promises";
import { measureOpenFiles } from "./measure-open-files.ts";

export interface SharedMemory {
  /** Returns what the processes below `root` hold, in bytes. `remainingBytes`: what they may still take. */
  bytes(pids: readonly number[], remainingBytes: number): Promise<number>;
}

const memoryFileSystem = 0x01021994;
/** The pause after a measurement, as a multiple of its duration. */
const pausePerMeasurement = 10;
/** The longest pause between measurements, which bounds what an agent gains by slowing them down. In milliseconds. */
const pauseMaxMs = 3_000;
/**
 * Memory that other programs free can hide what a sandbox takes, so it is measured at least this often, in
 * milliseconds.
 */
const measureAtLeastEveryMs = 2_000;
/** Allowed unexplained growth, as a multiple of the limit, while not everything that processes hold can be measured. */
const unexplainedMax = 2;

/**
 * Asks the machine how much memory is shared, which costs nothing. Measures when that has grown by as much as the
 * sandbox may still use, and every two seconds. `dirs`: the sandbox's in-memory file systems. `boundBytes`: the memory
 * limit of the sandbox. Returns infinity if what cannot be measured must be far above it.
 */
export function watchSharedMemory(root: number, dirs: readonly string[], boundBytes: number): SharedMemory {
  let known: number | undefined;
  /** The shared memory of the machine at the last measurement. */
  let sharedThen = 0;
  /** The least shared memory of the machine since the last measurement. */
  let sharedLeast = 0;
  let notBefore = 0;
  let notAfter = 0;
  /** The shared memory of the machine when everything could last be measured; undefined while everything can be. */
  let unexplainedFrom: number | undefined;

  async function measure(pids: readonly number[]): Promise<{ bytes: number; isWhole: boolean }> {
    let bytes = 0;
    const devices = new Set<number>();
    for (const dir of dirs) {
      const path = `/proc/${root}/root${dir}`;
      const own = await Promise.all([stat(path), statfs(path)]).catch(() => undefined);
      const hosts = await stat(dir).catch(() => undefined);
      // Skip the machine's own file system, which a starting sandbox still has.
      if (own === undefined || own[1].type !== memoryFileSystem || own[0].dev === hosts?.dev) continue;
      if (devices.has(own[0].dev)) continue;
      devices.add(own[0].dev);
      bytes += (own[1].blocks - own[1].bfree) * own[1].bsize;
    }
    const { memoryBytes, isPartial, underWay } = await measureOpenFiles(pids, devices);
    return { bytes: bytes + memoryBytes, isWhole: !isPartial && underWay === 0 };
  }

  return {
    async bytes(pids, remainingBytes) {
      const shared = await sharedOfMachine();
      sharedLeast = Math.min(sharedLeast, shared);
      const start = performance.now();
      const mayHaveGrown =
        known === undefined || shared - sharedLeast > (remainingBytes - known) / 2 || start > notAfter;
      if (!mayHaveGrown || start < notBefore) return known ?? 0;
      const { bytes, isWhole } = await measure(pids);
      unexplainedFrom = isWhole ? undefined : (unexplainedFrom ?? (known === undefined ? shared : sharedThen));
      known = shared - (unexplainedFrom ?? shared) > unexplainedMax * boundBytes ? Infinity : bytes;
      sharedThen = shared;
      sharedLeast = shared;
      const end = performance.now();
      notBefore = end + Math.min(pauseMaxMs, pausePerMeasurement * (end - start));
      notAfter = end + measureAtLeastEveryMs;
      return known;
    },
  };
}

async function sharedOfMachine(): Promise<number> {
  const text = await readFile("/proc/meminfo", "latin1").catch(() => "");
  return Number(/^Shmem:\s*(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}
