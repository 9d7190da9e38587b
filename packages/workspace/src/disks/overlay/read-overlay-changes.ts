// Reads a turn's changes from an overlay's upper directory. The cost depends on the changes, not on the tree.

import { lstatSync, readlinkSync, type BigIntStats } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTick } from "node:timers/promises";
import { childAt, folderOf, isFolder, type Folder, type TreeEdit } from "../../tree/folder.ts";
import { PermissionLoan } from "../../directory/permission-loan.ts";
import { forEachLimited } from "../../for-each-limited.ts";
import { hashFile } from "../../directory/read-disk.ts";
import { treeRoots, type Tree } from "../../tree/tree.ts";
import {
  assertFileBytes,
  assertHoleBytes,
  assertPathBytes,
  holeBytesOf,
  readEntryNames,
  tooManyFilesError,
  type Ignored,
} from "../../directory/walk-directory.ts";
import type { WorkspaceLimits } from "../../tree/workspace-limits.ts";

export interface OverlayChanges {
  readonly edits: readonly TreeEdit[];
  readonly ignored: readonly Ignored[];
  readonly filesHashed: number;
  /** Total size of the files in the upper directory. */
  readonly bytes: number;
  /** Entries with setuid, setgid or sticky bits, which snapshots do not store. */
  readonly special: readonly string[];
}

interface Reading {
  readonly upper: string;
  readonly merged: string;
  readonly limits: WorkspaceLimits;
  readonly loan: PermissionLoan;
  readonly edits: TreeEdit[];
  readonly ignored: Ignored[];
  readonly special: string[];
  /** Files to hash, once the walk has found no exceeded limit. */
  readonly files: { path: string; stat: BigIntStats }[];
  names: number;
}

const namesPerTick = 256;
const hashesAtOnce = 4;
const hashesPerTick = 32;

/**
 * Compares the upper directory with the tree below it. Reads every file in the upper directory, because the turn has
 * touched each of them, and writes through a mapping may not change times. Nothing may write to the directory.
 */
export async function readOverlayChanges(o: {
  upper: string;
  /** The existing mount. It shows whether a directory was recreated or only changed. */
  merged: string;
  base: Tree;
  limits: WorkspaceLimits;
}): Promise<OverlayChanges> {
  using loan = new PermissionLoan();
  const lists = { edits: [], ignored: [], special: [], files: [] };
  const reading: Reading = { ...o, ...lists, loan, names: 0 };
  const top = folderOf(o.base);
  for (const root of treeRoots) await readRoot(reading, root, childAt(top, root) as Folder);

  const { edits, ignored, special, files } = reading;
  assertHoleBytes(
    files.reduce((sum, { stat }) => sum + holeBytesOf(stat), 0),
    o.upper,
  );
  let bytes = 0;
  await forEachLimited(files, hashesAtOnce, async ({ path, stat }, index) => {
    if (index % hashesPerTick === 0) await nextTick();
    const sizeBytes = Number(stat.size);
    bytes += sizeBytes;
    const sha256 = await hashFile(path, join(o.upper, path), sizeBytes, loan);
    edits.push({ path, entry: { path, type: "file", mode: Number(stat.mode) & 0o777, sizeBytes, sha256 } });
  });
  return { edits, ignored, special, filesHashed: files.length, bytes };
}

async function readRoot(reading: Reading, root: string, below: Folder): Promise<void> {
  const stat = lstatSync(join(reading.upper, root), { bigint: true, throwIfNoEntry: false });
  if (stat === undefined) return;
  if (stat.isDirectory()) return await readFolders(reading, root, below);
  if (!isWhiteout(stat)) reading.ignored.push({ path: root, reason: "root_not_a_directory" });
  for (const name of below.children.keys()) reading.edits.push({ path: `${root}/${name}`, entry: undefined });
}

async function readFolders(reading: Reading, root: string, below: Folder): Promise<void> {
  const pending: { folder: string; base: Folder | undefined }[] = [{ folder: root, base: below }];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    const { folder, base } = at;
    const names = new Set<string>();
    for (const name of readEntryNames(reading.upper, folder, reading.loan, reading.ignored)) {
      const path = `${folder}/${name}`;
      if (++reading.names > reading.limits.files) throw tooManyFilesError(reading.limits);
      if (reading.names % namesPerTick === 0) await nextTick();
      assertPathBytes(path, reading.limits);
      names.add(name);
      const child = base?.children.get(name);
      if (readEntry(reading, path, child !== undefined)) {
        pending.push({ folder: path, base: isFolder(child) ? child : undefined });
      }
    }
    if (base !== undefined) noteHidden(reading, folder, base, names);
  }
}

// Records one entry of the upper directory. Returns true for a directory, which the caller reads next. An entry that
// snapshots do not store still hides the entry below it.
function readEntry(reading: Reading, path: string, isBelow: boolean): boolean {
  const place = join(reading.upper, path);
  const stat = lstatSync(place, { bigint: true });
  const mode = Number(stat.mode) & 0o777;
  if ((Number(stat.mode) & 0o7000) !== 0) reading.special.push(path);
  if (stat.isFile()) {
    assertFileBytes(path, stat, reading.limits);
    reading.files.push({ path, stat });
    return false;
  }
  if (stat.isDirectory()) {
    reading.edits.push({ path, entry: { path, type: "directory", mode, sizeBytes: 0 } });
    return true;
  }
  const target = stat.isSymbolicLink() ? textOf(readlinkSync(place, "buffer")) : undefined;
  if (target !== undefined) {
    const sizeBytes = Buffer.byteLength(target);
    reading.edits.push({ path, entry: { path, type: "symlink", mode: 0o777, sizeBytes, target } });
    return false;
  }
  if (isBelow) reading.edits.push({ path, entry: undefined });
  if (!isWhiteout(stat)) {
    reading.ignored.push({ path, reason: stat.isSymbolicLink() ? "target_not_utf8" : "special_file" });
  }
  return false;
}

// Records what an opaque directory hides. A directory that was removed and recreated is opaque: nothing of the
// directory below shows through. Node cannot read the attribute for this. But if one of the names below is not visible
// in the mount, none of them is, so testing one name is enough.
function noteHidden(reading: Reading, folder: string, base: Folder, names: ReadonlySet<string>): void {
  let isOpaque: boolean | undefined;
  for (const name of base.children.keys()) {
    if (names.has(name)) continue;
    const path = `${folder}/${name}`;
    isOpaque ??= lstatSync(join(reading.merged, path), { throwIfNoEntry: false }) === undefined;
    if (!isOpaque) return;
    reading.edits.push({ path, entry: undefined });
  }
}

function isWhiteout(stat: BigIntStats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0n;
}

function textOf(bytes: Buffer): string | undefined {
  const text = bytes.toString("utf8");
  return Buffer.from(text).equals(bytes) ? text : undefined;
}
