// Memory that is no process's own: file systems in memory, and files and segments that processes share. For machines
// where no control group counts it.

import { readFile, stat, statfs } from "node:fs/promises";
import { measureOpenFiles } from "./open-files.ts";

export interface SharedMemory {
  /** What the processes below `root` hold, bytes. `roomBytes`: what they may still take. */
  bytes(pids: readonly number[], roomBytes: number): Promise<number>;
}

const memoryFileSystem = 0x01021994;
/** A close look takes at most one part in so many of the time. */
const restPerLook = 10;

/**
 * Asks the machine how much memory is shared, which costs nothing, and looks closely only when that has grown by as
 * much as the sandbox's may still grow. `dirs`: of the sandbox, file systems in memory.
 */
export function watchSharedMemory(root: number, dirs: readonly string[]): SharedMemory {
  let known: number | undefined;
  let sharedThen = 0;
  let notBefore = 0;

  async function measure(pids: readonly number[]): Promise<number> {
    let bytes = 0;
    const devices = new Set<number>();
    for (const dir of dirs) {
      const path = `/proc/${root}/root${dir}`;
      const own = await Promise.all([stat(path), statfs(path)]).catch(() => undefined);
      const hosts = await stat(dir).catch(() => undefined);
      // Until it has its own, a sandbox that starts has the machine's.
      if (own === undefined || own[1].type !== memoryFileSystem || own[0].dev === hosts?.dev) continue;
      if (devices.has(own[0].dev)) continue;
      devices.add(own[0].dev);
      bytes += (own[1].blocks - own[1].bfree) * own[1].bsize;
    }
    return bytes + (await measureOpenFiles(pids, devices)).memoryBytes;
  }

  return {
    async bytes(pids, roomBytes) {
      const shared = await sharedOfMachine();
      const mayHaveGrown = known === undefined || shared - sharedThen > (roomBytes - known) / 2;
      if (!mayHaveGrown || performance.now() < notBefore) return known ?? 0;
      const start = performance.now();
      known = await measure(pids);
      sharedThen = shared;
      notBefore = performance.now() + restPerLook * (performance.now() - start);
      return known;
    },
  };
}

async function sharedOfMachine(): Promise<number> {
  const text = await readFile("/proc/meminfo", "latin1").catch(() => "");
  return Number(/^Shmem:\s*(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}
