// How much the directories of a sandbox hold, while the program works in them.

import { lstat, readdir, statfs } from "node:fs/promises";
import { join } from "node:path";

export interface DiskUse {
  readonly bytes: number;
  readonly files: number;
}

/** Counted only as far as it matters: once either bound is passed, the count stops. */
export interface DiskBounds {
  readonly bytes: number;
  readonly files: number;
}

/**
 * Blocks on the disk and directory entries below `dirs`. Follows no link. What lies too deep for a path to name counts
 * as too much: nothing could be said of it.
 */
export async function measureUse(dirs: readonly string[], bounds: DiskBounds): Promise<DiskUse> {
  let bytes = 0;
  let files = 0;
  const linked = new Set<number>();
  const left = [...dirs];
  for (let dir = left.pop(); dir !== undefined; dir = left.pop()) {
    const entries = await readdir(dir, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENAMETOOLONG") files = bounds.files + 1;
      return [];
    });
    files += entries.length;
    if (files > bounds.files) return { bytes, files };
    for (const entry of entries) {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) left.push(path);
      const found = await lstat(path).catch(() => undefined);
      if (found === undefined || (found.nlink > 1 && !entry.isDirectory() && linked.has(found.ino))) continue;
      if (found.nlink > 1) linked.add(found.ino);
      bytes += found.blocks * 512;
      if (bytes > bounds.bytes) return { bytes, files };
    }
  }
  return { bytes, files };
}

export interface DiskWatch {
  /** True once the directories hold more than they may. */
  isOver(): Promise<boolean>;
}

/** A walk takes at most one part in so many of the time. */
const restPerWalk = 10;

/**
 * Asks the file system how full it is, which costs nothing, and walks the directories only when it has filled up by
 * as much as they may still grow.
 */
export function watchDisk(dirs: readonly string[], bounds: DiskBounds): DiskWatch {
  let known: DiskUse | undefined;
  let fullThen = { bytes: 0, files: 0 };
  let notBefore = 0;

  async function howFull(): Promise<DiskUse> {
    const all = await Promise.all(dirs.map((dir) => statfs(dir)));
    return {
      bytes: Math.max(...all.map((one) => (one.blocks - one.bfree) * one.bsize)),
      files: Math.max(...all.map((one) => one.files - one.ffree)),
    };
  }

  return {
    async isOver() {
      const full = await howFull();
      const mayHaveGrown =
        known === undefined ||
        full.bytes - fullThen.bytes > (bounds.bytes - known.bytes) / 2 ||
        full.files - fullThen.files > (bounds.files - known.files) / 2;
      if (!mayHaveGrown || performance.now() < notBefore) return false;
      const start = performance.now();
      known = await measureUse(dirs, bounds);
      fullThen = full;
      notBefore = performance.now() + restPerWalk * (performance.now() - start);
      return known.bytes > bounds.bytes || known.files > bounds.files;
    },
  };
}
