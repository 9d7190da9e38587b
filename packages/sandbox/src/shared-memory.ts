// Memory that is no process's own: file systems in memory, and files and segments that processes share. For machines
// where no control group counts it.

import { readFile, stat, statfs } from "node:fs/promises";
import { measureOpenFiles } from "./open-files.ts";

export interface SharedMemory {
  /** What the processes below `root` hold, bytes. `remainingBytes`: what they may still take. */
  bytes(pids: readonly number[], remainingBytes: number): Promise<number>;
}

const memoryFileSystem = 0x01021994;
/** A close look takes at most one part in so many of the time. */
const restPerLook = 10;
/** The longest pause between looks, so that an agent that slows them down gains no more than this. */
const restMaxMs = 3_000;
/** What others give back meanwhile hides what a sandbox takes: it is looked at so often whatever the machine says. */
const lookAtLeastEveryMs = 2_000;
/** While not all that processes hold can be looked at, so many times the bound may fill up unexplained. */
const unexplainedMax = 2;

/**
 * Asks the machine how much memory is shared, which costs nothing, and looks closely when that has grown by as much as
 * the sandbox's may still grow, and every two seconds. `dirs`: of the sandbox, file systems in memory. `boundBytes`: of
 * all memory of the sandbox; where what cannot be looked at must be far over it, the answer is endless.
 */
export function watchSharedMemory(root: number, dirs: readonly string[], boundBytes: number): SharedMemory {
  let known: number | undefined;
  let sharedThen = 0;
  /** The least since then. */
  let sharedLeast = 0;
  let notBefore = 0;
  let notAfter = 0;
  /** What was shared when everything could last be looked at, as long as something cannot. */
  let unexplainedFrom: number | undefined;

  async function measure(pids: readonly number[]): Promise<{ bytes: number; isWhole: boolean }> {
    let bytes = 0;
    const devices = new Set<number>();
    for (const dir of dirs) {
      const path = `/proc/${root}/root${dir}`;
      const own = await Promise.all([stat(path), statfs(path)]).catch(() => undefined);
      const hosts = await stat(dir).catch(() => undefined);
      // A starting sandbox has the machine's file system at first.
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
      notBefore = end + Math.min(restMaxMs, restPerLook * (end - start));
      notAfter = end + lookAtLeastEveryMs;
      return known;
    },
  };
}

async function sharedOfMachine(): Promise<number> {
  const text = await readFile("/proc/meminfo", "latin1").catch(() => "");
  return Number(/^Shmem:\s*(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}
