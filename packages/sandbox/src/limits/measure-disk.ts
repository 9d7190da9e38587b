// Measures the directories of a sandbox while the program works in them.

import { constants } from "node:fs";
import { lstat, open, readdir, readlink, statfs, type FileHandle } from "node:fs/promises";
import type { OpenFiles } from "./measure-open-files.ts";

export interface DiskUse {
  readonly bytes: number;
  readonly files: number;
}

/** The limits of a measurement, which stops once either is exceeded. */
export interface DiskBounds {
  readonly bytes: number;
  readonly files: number;
}

const asDirectory = constants.O_RDONLY | constants.O_DIRECTORY;

/**
 * Adds up disk blocks and directory entries below `dirs`. The program may replace any directory by a link during the
 * walk. So each directory is opened first, and read only if it is still inside the original directory. A directory that
 * is too deep for a path counts as over the limit, because its contents cannot be measured.
 */
export async function measureDiskUse(dirs: readonly string[], bounds: DiskBounds): Promise<DiskUse> {
  const use = { bytes: 0, files: 0, linked: new Set<number>() };
  for (const dir of dirs) {
    const root = await openDirectory(Buffer.from(dir), asDirectory);
    if (typeof root === "string") continue;
    try {
      if (!(await measureBelow(root, use, bounds))) break;
    } finally {
      await root.close();
    }
  }
  return { bytes: use.bytes, files: use.files };
}

/** Returns false once a limit is exceeded. */
async function measureBelow(
  root: FileHandle,
  use: { bytes: number; files: number; linked: Set<number> },
  bounds: DiskBounds,
): Promise<boolean> {
  const rootPath = await pathOf(root);
  // Paths below the root, as bytes, because a name may not be valid UTF-8.
  const left = [Buffer.from(".")];
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    const dir = await openDirectory(within(root, name), asDirectory | constants.O_NOFOLLOW);
    if (dir === "ENAMETOOLONG") use.files = bounds.files + 1;
    if (typeof dir === "string") continue;
    try {
      if (!isInside(await pathOf(dir), rootPath)) continue;
      const entries = await readdir(descriptorPath(dir), { withFileTypes: true, encoding: "buffer" }).catch(() => []);
      use.files += entries.length;
      if (use.files > bounds.files) return false;
      for (const entry of entries) {
        if (entry.isDirectory()) left.push(Buffer.concat([name, slash, entry.name]));
        const found = await lstat(within(dir, entry.name)).catch(() => undefined);
        if (found === undefined || (found.nlink > 1 && !entry.isDirectory() && use.linked.has(found.ino))) continue;
        if (found.nlink > 1) use.linked.add(found.ino);
        use.bytes += found.blocks * 512;
        if (use.bytes > bounds.bytes) return false;
      }
    } finally {
      await dir.close();
    }
  }
  return use.files <= bounds.files;
}

const slash = Buffer.from("/");
const descriptorPath = (dir: FileHandle): string => `/proc/self/fd/${dir.fd}`;
const within = (dir: FileHandle, name: Buffer): Buffer => Buffer.concat([Buffer.from(`${descriptorPath(dir)}/`), name]);
/** Returns the kernel's path of an open directory, with every link resolved. */
const pathOf = (dir: FileHandle): Promise<Buffer> => readlink(descriptorPath(dir), { encoding: "buffer" });

/** Returns the error's code if the directory cannot be opened. */
async function openDirectory(path: Buffer, flags: number): Promise<FileHandle | string> {
  return open(path, flags).catch((error: NodeJS.ErrnoException) => error.code ?? "EIO");
}

function isInside(path: Buffer, root: Buffer): boolean {
  const begins = path.subarray(0, root.length).equals(root);
  return begins && (path.length === root.length || path[root.length] === slash[0]);
}

export interface DiskWatch {
  /** Returns true once the directories exceed a limit, together with deleted files of theirs that are still open. */
  isOver(): Promise<boolean>;
}

/** The pause after a walk, as a multiple of the walk's duration. */
const pausePerWalk = 10;
/** The longest pause between walks, which bounds what an agent gains by slowing them down. In milliseconds. */
const pauseMaxMs = 3_000;
/**
 * Allowed unexplained growth of the file system, as a multiple of the limit, while not everything that processes hold
 * open can be measured.
 */
const unexplainedMax = 2;

/**
 * Asks the file system how full it is, which costs nothing. Walks the directories only if the file system has filled up
 * by half of what they may still grow, and once after the first walk, because the program may have written during that
 * walk. `dirs`: can change between calls. `openFiles`: measures the open files of the processes in the sandbox.
 */
export function watchDisk(
  dirs: () => readonly string[],
  bounds: DiskBounds,
  openFiles: () => Promise<Pick<OpenFiles, "disk" | "underWay" | "isPartial">>,
): DiskWatch {
  let watched = "";
  let named: DiskUse = { bytes: 0, files: 0 };
  let unnamed: DiskUse = { bytes: 0, files: 0 };
  /** The lowest usage of the file system since the last walk. Deletions by others must not hide growth. */
  let fullThen: DiskUse | undefined;
  let notBefore = 0;
  /** Whether the open files in these directories were not measured yet. Short turns end before that. */
  let isUnseen = false;
  /** How full the file system was when everything could last be measured; undefined while everything can be. */
  let unexplainedFrom: number | undefined;
  let unexplained = 0;

  const isNear = (full: DiskUse, then: DiskUse, of: "bytes" | "files"): boolean =>
    full[of] - then[of] > (bounds[of] - named[of] - unnamed[of]) / 2;

  async function measureAll(full: DiskUse, now: readonly string[]): Promise<void> {
    const start = performance.now();
    named = await measureDiskUse(now, bounds);
    const { disk, underWay, isPartial } = await openFiles();
    unnamed = disk;
    unexplainedFrom = underWay === 0 && !isPartial ? undefined : (unexplainedFrom ?? fullThen?.bytes ?? full.bytes);
    unexplained = full.bytes - (unexplainedFrom ?? full.bytes);
    fullThen = full;
    const end = performance.now();
    notBefore = end + Math.min(pauseMaxMs, pausePerWalk * (end - start));
  }

  return {
    async isOver() {
      const now = dirs();
      const full = await howFull(now);
      fullThen = lowest(full, fullThen ?? full);
      if (watched !== now.join("\0")) {
        named = await measureDiskUse(now, bounds);
        watched = now.join("\0");
        // Earlier numbers are from other directories or file systems.
        unnamed = { bytes: 0, files: 0 };
        [fullThen, unexplainedFrom, unexplained] = [full, undefined, 0];
        isUnseen = true;
      } else {
        const mayHaveGrown = isNear(full, fullThen, "bytes") || isNear(full, fullThen, "files");
        if (isUnseen || (mayHaveGrown && performance.now() >= notBefore)) await measureAll(full, now);
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

const lowest = (a: DiskUse, b: DiskUse): DiskUse => ({
  bytes: Math.min(a.bytes, b.bytes),
  files: Math.min(a.files, b.files),
});

/** Returns the usage of the fullest file system of these directories. */
async function howFull(dirs: readonly string[]): Promise<DiskUse> {
  const all = await Promise.all(dirs.map((dir) => statfs(dir)));
  return {
    bytes: Math.max(...all.map((one) => (one.blocks - one.bfree) * one.bsize)),
    files: Math.max(...all.map((one) => one.files - one.ffree)),
  };
}
