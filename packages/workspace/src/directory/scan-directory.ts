// Reads a directory into a tree, hashing only what may have changed since an earlier scan.

import { lstatSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTick } from "node:timers/promises";
import { WorkspaceUnreadableError } from "../errors.ts";
import { editTree, type TreeEdit } from "../tree/folder.ts";
import { PermissionLoan } from "./permission-loan.ts";
import { forEachLimited } from "../for-each-limited.ts";
import { hashFile } from "./read-disk.ts";
import { emptySha256, sameEntry, createTree, type Tree, type TreeEntry } from "../tree/tree.ts";
import { assertHoleBytes, toStat, walk, type WalkedEntry, type Ignored, type Stat } from "./walk-directory.ts";
import { defaultWorkspaceLimits, type WorkspaceLimits } from "../tree/workspace-limits.ts";

export interface Scan {
  /** Entries that differ from `base` or `restored` have no locations. */
  readonly tree: Tree;
  /** Found entries that snapshots do not store. */
  readonly ignored: readonly Ignored[];
  readonly totalBytes: number;
  /** Number of files read, for logs. */
  readonly filesHashed: number;
  /** Every later change has a ctime at or after this, in milliseconds since 1970. */
  readonly takenAtMs: number;
  readonly seen: ReadonlyMap<string, ScannedEntry>;
}

export interface ScannedEntry {
  readonly stat: Stat;
  readonly entry: TreeEntry;
}

export interface ScanOptions {
  /** The scan before the turn: files with the same size, times, inode and mode keep their hash. */
  readonly base?: Scan;
  /** The tree that the directory was just restored from: files of the same size keep its hash. */
  readonly restored?: Tree;
  readonly limits?: WorkspaceLimits;
}

/**
 * File times advance once per kernel tick, at most 10 ms. A file that was changed less than this time before the last
 * scan is read again. In milliseconds.
 */
export const tickMs = 20;
const hashesAtOnce = 4;
const hashesPerTick = 32;

/**
 * Reads both trees of a session's directory, to which nothing may write during the scan. Permissions that an agent
 * removed are added for the scan and removed again. Sockets, fifos, devices and names that are not UTF-8 are ignored
 * and reported. Setuid, setgid and sticky bits are dropped. On tmpfs, a write through a memory mapping that was read
 * first does not change the times, so a scan with `base` does not see it.
 * @throws WorkspaceLimitError before anything is read; WorkspaceUnreadableError; WorkspaceChangedError.
 */
export async function scan(dir: string, options: ScanOptions = {}): Promise<Scan> {
  const { base, restored, limits = defaultWorkspaceLimits } = options;
  const takenAtMs = Date.now() - tickMs;
  using loan = new PermissionLoan();
  const seen = new Map<string, ScannedEntry>();
  const fresh: string[] = [];
  const unknown: string[] = [];
  let totalBytes = 0;
  let holeBytes = 0;
  const ignored = await walk(dir, { limits, loan }, (path, found) => {
    if (found.type === "file") totalBytes += found.stat.size;
    const old = base === undefined ? undefined : seenBefore(base, path, found);
    if (old !== undefined) return void seen.set(path, old);
    const entry = entryOf(path, found, hashOfRestored(restored, path, found.stat));
    seen.set(path, { stat: toStat(found.stat), entry });
    fresh.push(path);
    if (entry.type !== "file" || entry.sha256 !== undefined) return;
    unknown.push(path);
    holeBytes += found.holeBytes ?? 0;
  });
  assertHoleBytes(holeBytes, dir);

  await forEachLimited(unknown, hashesAtOnce, async (path, index) => {
    if (index % hashesPerTick === 0) await nextTick();
    const place = join(dir, path);
    const { stat, entry } = seen.get(path) as ScannedEntry;
    const sha256 = await hashFile(path, place, entry.sizeBytes, loan);
    // The temporary read permission has changed the file's ctime, so read its times again.
    const now = (stat.mode & 0o400) === 0 ? statAgain(path, place) : stat;
    seen.set(path, { stat: now, entry: { ...entry, sha256 } });
  });
  const tree = treeFrom(base?.tree ?? restored, { seen, fresh, seenBefore: base?.seen });
  return { tree, ignored, totalBytes, filesHashed: unknown.length, takenAtMs, seen };
}

// Returns the tree of a scan. It shares unchanged folders with the tree before, so that the cost of comparing both
// depends on the difference.
function treeFrom(
  before: Tree | undefined,
  found: {
    readonly seen: ReadonlyMap<string, ScannedEntry>;
    readonly fresh: readonly string[];
    /** Contains the paths of `before`. */
    readonly seenBefore: ReadonlyMap<string, ScannedEntry> | undefined;
  },
): Tree {
  const { seen, fresh } = found;
  if (before === undefined) return createTree([...seen.values()].map(({ entry }) => entry));
  const edits: TreeEdit[] = [];
  let added = 0;
  for (const path of fresh) {
    const { entry } = seen.get(path) as ScannedEntry;
    const old = before.get(path);
    if (old === undefined) added++;
    if (old === undefined || !sameEntry(old, entry)) edits.push({ path, entry });
  }
  if (seen.size - added < before.size) {
    for (const path of (found.seenBefore ?? before).keys()) if (!seen.has(path)) edits.push({ path, entry: undefined });
  }
  return edits.length === 0 ? before : editTree(before, edits);
}

// Returns the entry of the base scan if it has not changed since.
function seenBefore(base: Scan, path: string, { type, stat, target }: WalkedEntry): ScannedEntry | undefined {
  const old = base.seen.get(path);
  if (old === undefined || old.entry.type !== type) return undefined;
  if (type === "file") return isUntouched(base, old.stat, stat) ? old : undefined;
  const isSame = old.entry.mode === (type === "symlink" ? 0o777 : stat.mode & 0o777);
  return isSame && old.entry.target === target ? old : undefined;
}

// Returns whether a file is unchanged. If the last change was in the tick of the base scan, the file may have changed
// again after it was read, without a change of its times.
function isUntouched({ takenAtMs }: Scan, old: Stat, stat: Stat): boolean {
  return (
    old.ctimeMs < takenAtMs &&
    old.ctimeMs === stat.ctimeMs &&
    old.mtimeMs === stat.mtimeMs &&
    old.size === stat.size &&
    old.ino === stat.ino &&
    old.mode === stat.mode
  );
}

function hashOfRestored(restored: Tree | undefined, path: string, stat: Stat): string | undefined {
  if (stat.size === 0) return emptySha256;
  const entry = restored?.get(path);
  return entry?.type === "file" && entry.sizeBytes === stat.size ? entry.sha256 : undefined;
}

function entryOf(path: string, { type, stat, target }: WalkedEntry, sha256: string | undefined): TreeEntry {
  const mode = stat.mode & 0o777;
  if (type === "directory") return { path, type, mode, sizeBytes: 0 };
  if (type === "symlink") {
    return { path, type, mode: 0o777, sizeBytes: Buffer.byteLength(target ?? ""), target: target ?? "" };
  }
  const file = { path, type, mode, sizeBytes: stat.size };
  return sha256 === undefined ? file : { ...file, sha256 };
}

function statAgain(path: string, place: string): Stat {
  try {
    return toStat(lstatSync(place));
  } catch (cause) {
    throw new WorkspaceUnreadableError(path, { cause });
  }
}
