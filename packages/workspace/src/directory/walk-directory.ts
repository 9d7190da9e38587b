// Lists a session's directory with lstat. Reads no content, follows no symlink, checks the limits.

import { limits as domainLimits } from "@dari/domain";
import { lstatSync, opendirSync, readdirSync, readlinkSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTick } from "node:timers/promises";
import { errorCode, WorkspaceLimitError, WorkspaceUnreadableError } from "../errors.ts";
import { quotePath } from "../tree/path-rules.ts";
import type { PermissionLoan } from "./permission-loan.ts";
import { treeRoots } from "../tree/tree.ts";
import type { WorkspaceLimits } from "../tree/workspace-limits.ts";

/** Something on disk that a snapshot cannot store. The turn continues without it. */
export interface Ignored {
  /** The path. Bytes that are not UTF-8 are replaced by U+FFFD. */
  readonly path: string;
  readonly reason: "special_file" | "name_not_utf8" | "target_not_utf8" | "root_not_a_directory";
}

/**
 * The part of a stat that shows whether an entry was changed. It is small, because a scan stores one per path. Plain
 * numbers are faster than BigInts, and their precision of 1 µs is enough: a scan needs 10 ms.
 */
export interface Stat {
  readonly size: number;
  readonly mode: number;
  readonly ino: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}

export interface WalkedEntry {
  readonly type: "file" | "directory" | "symlink";
  /** The system's full result. Before storing it, shorten it with `toStat`. */
  readonly stat: Stat;
  readonly target?: string;
  readonly holeBytes?: number;
}

/** Magic numbers of file systems that compress: btrfs, ZFS, bcachefs and F2FS. */
const compressing: ReadonlySet<number> = new Set([0x9123683e, 0x2fc12fc1, 0xca451a4e, 0xf2f52010]);
/** Directories up to this size are read with one call, which is twice as fast as reading name by name. */
const namesAtOnceMax = 256 * 1024;
/**
 * Number of entries after which other work can run: the lstat calls are synchronous, which is three times as fast as
 * asynchronous calls.
 */
const entriesPerTick = 256;

/** Walks both roots of `dir`. A missing root is empty. Returns what a snapshot cannot store. */
export async function walk(
  dir: string,
  { limits, loan }: { limits: WorkspaceLimits; loan: PermissionLoan },
  visit: (path: string, found: WalkedEntry) => void,
): Promise<Ignored[]> {
  const ignored: Ignored[] = [];
  const state = { names: 0, bytes: 0 };
  const pending: string[] = [];
  for (const root of treeRoots) {
    const stat = lstatSync(join(dir, root), { throwIfNoEntry: false });
    if (stat?.isDirectory()) pending.push(root);
    else if (stat !== undefined) ignored.push({ path: root, reason: "root_not_a_directory" });
  }
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for (const name of readEntryNames(dir, folder, loan, ignored)) {
      const path = `${folder}/${name}`;
      if (++state.names > limits.files) throw tooManyFilesError(limits);
      if (state.names % entriesPerTick === 0) await nextTick();
      assertPathBytes(path, limits);
      const found = readEntry(dir, path, ignored);
      if (found === undefined) continue;
      visit(path, found);
      if (found.type === "directory") pending.push(path);
      if (found.type === "file") state.bytes += sizeWithinLimits(path, found.stat, state.bytes, limits);
    }
  }
  return ignored;
}

// Returns names one by one, so that a directory of millions of names exceeds the limit before it fills the memory.
export function* readEntryNames(
  dir: string,
  folder: string,
  loan: PermissionLoan,
  ignored: Ignored[],
): Generator<string> {
  let uncertain = 0;
  for (const name of readNames(dir, folder, loan)) {
    // Invalid UTF-8 is decoded as U+FFFD, which a valid name can contain too. The bytes decide below.
    if (name.includes("\ufffd")) uncertain++;
    else yield name;
  }
  if (uncertain === 0) return;
  const listing = opendirSync(Buffer.from(join(dir, folder)) as unknown as string, { encoding: "buffer" as "utf8" });
  try {
    for (let entry = listing.readSync(); entry !== null; entry = listing.readSync()) {
      const bytes = entry.name as unknown as Buffer;
      const name = bytes.toString("utf8");
      if (!name.includes("\ufffd")) continue;
      if (Buffer.from(name).equals(bytes)) yield name;
      else ignored.push({ path: `${folder}/${name}`, reason: "name_not_utf8" });
    }
  } finally {
    listing.closeSync();
  }
}

function* readNames(dir: string, folder: string, loan: PermissionLoan): Generator<string> {
  const place = join(dir, folder);
  const isSmall = opened(folder, () => {
    // Listing needs the r permission, and lstat of the entries needs x. Add missing permissions now.
    loan.takeFolder(place);
    // No file system has more names in a directory than the directory has bytes.
    return lstatSync(place).size <= namesAtOnceMax;
  });
  if (isSmall) return yield* opened(folder, () => readdirSync(place));
  const listing = opened(folder, () => opendirSync(place, { bufferSize: 256 }));
  try {
    for (let entry = listing.readSync(); entry !== null; entry = listing.readSync()) yield entry.name;
  } finally {
    listing.closeSync();
  }
}

function opened<T>(folder: string, open: () => T): T {
  try {
    return open();
  } catch (cause) {
    if (errorCode(cause) === "ENAMETOOLONG") throw pathTooLong(folder, undefined);
    throw new WorkspaceUnreadableError(folder, { cause });
  }
}

function readEntry(dir: string, path: string, ignored: Ignored[]): WalkedEntry | undefined {
  const place = `${dir}/${path}`;
  try {
    const stat = lstatSync(place);
    if (stat.isFile()) return { type: "file", stat, holeBytes: holeBytesOf(stat) };
    if (stat.isDirectory()) return { type: "directory", stat };
    if (!stat.isSymbolicLink()) {
      ignored.push({ path, reason: "special_file" });
      return undefined;
    }
    const bytes = readlinkSync(place, "buffer");
    const target = bytes.toString("utf8");
    if (Buffer.from(target).equals(bytes)) return { type: "symlink", stat, target };
    ignored.push({ path, reason: "target_not_utf8" });
    return undefined;
  } catch (cause) {
    if (errorCode(cause) === "ENAMETOOLONG") throw pathTooLong(path, undefined);
    throw new WorkspaceUnreadableError(path, { cause });
  }
}

/** Returns the part of a stat that a scan stores. */
export function toStat({ size, mode, ino, mtimeMs, ctimeMs }: Stat): Stat {
  return { size, mode, ino, mtimeMs, ctimeMs };
}

function sizeWithinLimits(path: string, stat: Stat, before: number, limits: WorkspaceLimits): number {
  assertFileBytes(path, stat, limits);
  assertTotalBytes(before + stat.size, limits);
  return stat.size;
}

export function assertFileBytes(path: string, { size }: { size: number | bigint }, limits: WorkspaceLimits): void {
  if (size <= limits.fileBytes) return;
  const message = `the file ${quotePath(path)} has ${size} bytes; the limit is ${limits.fileBytes} bytes per file`;
  throw new WorkspaceLimitError("file_bytes", message, path);
}

export function assertTotalBytes(bytes: number, limits: WorkspaceLimits): void {
  if (bytes <= limits.bytes) return;
  throw new WorkspaceLimitError("bytes", `the workspace exceeds the limit of ${limits.bytes} bytes`);
}

/** Returns how many bytes of a file were never written. On compressing file systems, the result means nothing. */
export function holeBytesOf({ size, blocks }: { size: number | bigint; blocks: number | bigint }): number {
  return Math.max(0, Number(size) - Number(blocks) * 512);
}

export function assertHoleBytes(bytes: number, dir: string): void {
  if (bytes <= domainLimits.workspaceHoleBytes || compressing.has(statfsSync(dir).type)) return;
  const message =
    `the turn left sparse files with ${bytes} bytes that were never written; ` +
    `the limit is ${domainLimits.workspaceHoleBytes}: delete or shorten sparse files`;
  throw new WorkspaceLimitError("bytes", message);
}

export function assertPathBytes(path: string, limits: WorkspaceLimits): void {
  if (Buffer.byteLength(path) > limits.pathBytes) throw pathTooLong(path, limits);
}

export function tooManyFilesError(limits: WorkspaceLimits): WorkspaceLimitError {
  return new WorkspaceLimitError("files", `the workspace exceeds the limit of ${limits.files} files and directories`);
}

function pathTooLong(path: string, limits: WorkspaceLimits | undefined): WorkspaceLimitError {
  const bound = limits === undefined ? "the limit of the system" : `the limit of ${limits.pathBytes} bytes`;
  return new WorkspaceLimitError("path_bytes", `the path ${quotePath(path)} exceeds ${bound}`, path);
}
