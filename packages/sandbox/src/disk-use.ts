// How much the directories of a sandbox hold, while the program works in them.

import { lstat, readdir, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { OpenFiles } from "./open-files.ts";

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
  /** True once the directories hold more than they may, and files that were in them and have no name any more. */
  isOver(): Promise<boolean>;
}

/** A walk takes at most one part in so many of the time. */
const restPerWalk = 10;
/** Whoever makes a walk slow gains no more than this. */
const restMaxMs = 3_000;
/** While not all that processes hold can be looked at, so many times the bound may fill up unexplained. */
const unexplainedMax = 2;

/**
 * Asks the file system how full it is, which costs nothing, and looks closely only when it has filled up by as much as
 * what is held may still grow, and once after the first look: a program may have been quicker than that. `dirs`: may
 * change from one look to the next. `openFiles`: of the processes that work in them.
 */
export function watchDisk(
  dirs: () => readonly string[],
  bounds: DiskBounds,
  openFiles: () => Promise<Pick<OpenFiles, "disk" | "underWay" | "isPartial">>,
): DiskWatch {
  let watched = "";
  let named: DiskUse = { bytes: 0, files: 0 };
  let unnamed: DiskUse = { bytes: 0, files: 0 };
  /** At the last close look. */
  let fullThen: DiskUse | undefined;
  let notBefore = 0;
  /** Whether what processes hold in these directories was never looked at: short turns are over before it is. */
  let isUnseen = false;
  /** How full it was when everything could last be looked at, as long as something cannot. */
  let unexplainedFrom: number | undefined;
  let unexplained = 0;

  const isNear = (full: DiskUse, then: DiskUse, of: "bytes" | "files"): boolean =>
    full[of] - then[of] > (bounds[of] - named[of] - unnamed[of]) / 2;

  async function lookClosely(full: DiskUse, now: readonly string[]): Promise<void> {
    const start = performance.now();
    named = await measureUse(now, bounds);
    const { disk, underWay, isPartial } = await openFiles();
    unnamed = disk;
    unexplainedFrom = underWay === 0 && !isPartial ? undefined : (unexplainedFrom ?? fullThen?.bytes ?? full.bytes);
    unexplained = full.bytes - (unexplainedFrom ?? full.bytes);
    fullThen = full;
    const end = performance.now();
    notBefore = end + Math.min(restMaxMs, restPerWalk * (end - start));
  }

  return {
    async isOver() {
      const now = dirs();
      const full = await howFull(now);
      fullThen ??= full;
      if (watched !== now.join("\0")) {
        named = await measureUse(now, bounds);
        watched = now.join("\0");
        // What was held in other directories, and how full those were, says nothing of these.
        unnamed = { bytes: 0, files: 0 };
        [fullThen, unexplainedFrom, unexplained] = [full, undefined, 0];
        isUnseen = true;
      } else {
        const mayHaveGrown = isNear(full, fullThen, "bytes") || isNear(full, fullThen, "files");
        if (isUnseen || (mayHaveGrown && performance.now() >= notBefore)) await lookClosely(full, now);
        isUnseen = false;
      }
      return (
        named.bytes + unnamed.bytes > bounds.bytes ||
        named.files + unnamed.files > bounds.files ||
        unexplained > unexplainedMax * bounds.bytes
      );
    },
  };
}

/** Of the file systems of these directories, the fullest. */
async function howFull(dirs: readonly string[]): Promise<DiskUse> {
  const all = await Promise.all(dirs.map((dir) => statfs(dir)));
  return {
    bytes: Math.max(...all.map((one) => (one.blocks - one.bfree) * one.bsize)),
    files: Math.max(...all.map((one) => one.files - one.ffree)),
  };
}
