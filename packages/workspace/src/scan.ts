// From a directory on disk to a tree, hashing only what may have changed since an earlier scan.

import { lstatSync, type BigIntStats } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTick } from "node:timers/promises";
import { WorkspaceUnreadableError } from "./errors.ts";
import { PermissionLoan } from "./permission-loan.ts";
import { forEachLimited } from "./pool.ts";
import { hashFile } from "./read-disk.ts";
import { emptySha256, treeOf, type Tree, type TreeEntry } from "./tree.ts";
import { walk, type Found, type Ignored } from "./walk.ts";
import { defaultWorkspaceLimits, type WorkspaceLimits } from "./workspace-limits.ts";

export interface Scan {
  /** Without locations. */
  readonly tree: Tree;
  /** What was found and cannot be kept. */
  readonly ignored: readonly Ignored[];
  readonly totalBytes: number;
  /** How many files were read, for logs. */
  readonly filesHashed: number;
  /** A later change has a ctime that is not before this. Nanoseconds since 1970. */
  readonly takenAtNs: bigint;
  readonly stats: ReadonlyMap<string, BigIntStats>;
}

export interface ScanOptions {
  /** The scan before the turn: files whose size, times, inode and mode are the same keep their hash. */
  readonly base?: Scan;
  /** Of a directory that was restored from this tree a moment ago: files of the same size keep its hash. */
  readonly restored?: Tree;
  readonly limits?: WorkspaceLimits;
}

/** File times step once per kernel tick, at most 10 ms; a file touched that shortly before is read again. */
const tickNs = 20_000_000n;
const hashesAtOnce = 4;
const hashesPerTick = 32;

/**
 * Reads both trees of a session directory. Nothing may write to it meanwhile: the sandbox is dead. Permissions that an
 * agent took away are lifted for the reading and put back. Sockets, fifos, devices and names that are not UTF-8 are
 * ignored and reported; setuid, setgid and sticky bits are dropped.
 * On tmpfs a write through a memory mapping that was read first moves no time, so that `base` hides it.
 * @throws WorkspaceLimitError before anything is read; WorkspaceUnreadableError; WorkspaceChangedError.
 */
export async function scan(dir: string, options: ScanOptions = {}): Promise<Scan> {
  const { base, restored, limits = defaultWorkspaceLimits } = options;
  const takenAtNs = BigInt(Date.now()) * 1_000_000n - tickNs;
  using loan = new PermissionLoan();
  const { found, ignored } = await walk(dir, limits, loan);

  const hashes = new Map<string, string>();
  const unknown: string[] = [];
  let totalBytes = 0;
  for (const [path, { type, stat }] of found) {
    if (type !== "file") continue;
    totalBytes += Number(stat.size);
    const known = hashSince(base, path, stat) ?? hashOfRestored(restored, path, stat);
    if (known === undefined) unknown.push(path);
    else hashes.set(path, known);
  }

  const stats = new Map<string, BigIntStats>();
  for (const [path, { stat }] of found) stats.set(path, stat);
  await forEachLimited(unknown, hashesAtOnce, async (path, index) => {
    if (index % hashesPerTick === 0) await nextTick();
    const place = join(dir, path);
    hashes.set(path, await hashFile(path, place, Number(stats.get(path)?.size), loan));
    // Lifting a file's permissions moved its ctime.
    if ((Number(stats.get(path)?.mode) & 0o400) === 0) stats.set(path, statAgain(path, place));
  });
  const tree = treeOf([...found].map(([path, entry]) => entryOf(path, entry, hashes.get(path))));
  return { tree, ignored, totalBytes, filesHashed: unknown.length, takenAtNs, stats };
}

// A file may have changed after the base scan read it without a visible step of its times, when both fell in one tick.
function hashSince(base: Scan | undefined, path: string, stat: BigIntStats): string | undefined {
  if (stat.size === 0n) return emptySha256;
  const old = base?.stats.get(path);
  if (base === undefined || old === undefined || old.ctimeNs >= base.takenAtNs) return undefined;
  const isSame =
    old.ctimeNs === stat.ctimeNs &&
    old.mtimeNs === stat.mtimeNs &&
    old.size === stat.size &&
    old.ino === stat.ino &&
    old.mode === stat.mode;
  return isSame ? base.tree.get(path)?.sha256 : undefined;
}

function hashOfRestored(restored: Tree | undefined, path: string, stat: BigIntStats): string | undefined {
  const entry = restored?.get(path);
  return entry?.type === "file" && BigInt(entry.sizeBytes) === stat.size ? entry.sha256 : undefined;
}

function entryOf(path: string, { type, stat, target }: Found, sha256: string | undefined): TreeEntry {
  const mode = Number(stat.mode) & 0o777;
  if (type === "directory") return { path, type, mode, sizeBytes: 0 };
  if (type === "symlink") {
    return { path, type, mode: 0o777, sizeBytes: Buffer.byteLength(target ?? ""), target: target ?? "" };
  }
  return { path, type, mode, sizeBytes: Number(stat.size), sha256: sha256 ?? emptySha256 };
}

function statAgain(path: string, place: string): BigIntStats {
  try {
    return lstatSync(place, { bigint: true });
  } catch (cause) {
    throw new WorkspaceUnreadableError(path, { cause });
  }
}
