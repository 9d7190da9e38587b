// Session directories as copies, for machines without overlays. A turn's directory is kept for the session's next turn,
// which checks the directory and restores nothing.

import { randomUUID } from "node:crypto";
import { lstatSync } from "node:fs";
import { mkdir, readdir, rename, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { removeTree } from "@dari/native";
import type { DiskScan, OpenDisk, PlainDisk, PlainDisks } from "../disk.ts";
import { folderOf } from "../../tree/folder.ts";
import { setTimesToNow } from "../../directory/set-times.ts";
import { assertOrganizationId } from "../../tree/path-rules.ts";
import { restore } from "../../restore/restore-tree.ts";
import { scan, tickMs, type Scan } from "../../directory/scan-directory.ts";
import { isTreeRoot, treeRoots, type Tree } from "../../tree/tree.ts";
import { treeHash } from "../../tree/tree-hash.ts";
import { toStat } from "../../directory/walk-directory.ts";

interface KeptDirectory {
  readonly key: string;
  readonly dir: string;
  readonly bytes: number;
  /** The scan that was made when the directory was kept. Files that differ from this scan are read again. */
  readonly scan: Scan;
}

interface Copies {
  readonly dir: string;
  readonly maxBytes: number;
  /** Least recently kept first. */
  readonly kept: Set<KeptDirectory>;
  sizeBytes: number;
}

export async function openCopies(o: { dir: string; maxBytes: number; reason: string }): Promise<PlainDisks> {
  // Directories of an earlier process are useless without their scans.
  for (const name of await readdir(o.dir)) await removeTree(join(o.dir, name));
  const copies: Copies = { dir: o.dir, maxBytes: o.maxBytes, kept: new Set(), sizeBytes: 0 };
  return {
    kind: "copy",
    reason: o.reason,
    open: (options) => open(copies, options),
    get sizeBytes() {
      return copies.sizeBytes;
    },
    squashfsUnused: 0,
    close: () => Promise.resolve(),
  };
}

async function open(copies: Copies, options: OpenDisk): Promise<PlainDisk> {
  assertOrganizationId(options.organizationId);
  const key = `${options.organizationId}/${treeHash(options.tree)}`;
  const warm = await takeKept(copies, options, key);
  if (warm !== undefined) return diskOf(copies, options, warm, true);
  try {
    await restore(options);
  } catch (error) {
    // Empty the directory, so that another snapshot can be restored to it.
    await removeTree(options.dir);
    throw error;
  }
  const base = await scan(options.dir, { restored: options.tree, limits: options.limits });
  return diskOf(copies, options, base, false);
}

/**
 * Sets the times of everything that changed since `base` to now, and returns the matching scan. Times of directories
 * and links are not in a scan, so all of those are set.
 */
async function withTimesOfNow(dir: string, base: Scan, last: Scan): Promise<Scan> {
  const seen = new Map(last.seen);
  const changed = [...seen].filter(([path, one]) => one.entry.type !== "file" || one !== base.seen.get(path));
  const roots = treeRoots.filter((root) => lstatSync(join(dir, root), { throwIfNoEntry: false }) !== undefined);
  const paths = [
    ...roots.map((path) => ({ path, type: "directory" })),
    ...changed.map(([path, { entry }]) => ({ path, type: entry.type })),
  ];
  await setTimesToNow(dir, paths, (path, place) => {
    const old = seen.get(path);
    if (old?.entry.type === "file") seen.set(path, { ...old, stat: toStat(lstatSync(place)) });
  });
  // One more, because Date.now() drops the fraction of a millisecond that a ctime has.
  return { ...last, seen, takenAtMs: Date.now() + tickMs + 1 };
}

/** Moves a kept directory with the tree to `dir` and checks it. Returns undefined if there is none. */
async function takeKept(copies: Copies, { dir, limits }: OpenDisk, key: string): Promise<Scan | undefined> {
  const found = [...copies.kept].findLast((one) => one.key === key);
  if (found === undefined) return undefined;
  // Remove the entry before the first await, so that only one turn gets the directory.
  copies.kept.delete(found);
  copies.sizeBytes -= found.bytes;
  // Wait until a write gets a later ctime than keeping the directory gave its files. A timer can fire a millisecond
  // early.
  while (Date.now() < found.scan.takenAtMs) await delay(found.scan.takenAtMs - Date.now());
  try {
    await mkdir(dirname(dir), { recursive: true });
    await rmdir(dir).catch(() => undefined);
    await rename(found.dir, dir);
    const now = await scan(dir, { base: found.scan, limits });
    if (now.ignored.length === 0 && key.endsWith(`/${treeHash(now.tree)}`)) return now;
  } catch {
    // The directory cannot be used, so the caller restores the tree.
  }
  await removeTree(found.dir);
  await removeTree(dir);
  return undefined;
}

function diskOf(copies: Copies, options: OpenDisk, base: Scan, isWarm: boolean): PlainDisk {
  const { dir, limits, organizationId } = options;
  let last = base;
  let ended: Promise<void> | undefined;
  return {
    dir,
    isWarm,
    async scan(): Promise<DiskScan> {
      last = await scan(dir, { base: last, limits });
      return { tree: last.tree, ignored: last.ignored, filesHashed: last.filesHashed };
    },
    keep: (tree) => (ended ??= keep(copies, { dir, key: `${organizationId}/${treeHash(tree)}`, tree, base, last })),
    close: () => (ended ??= removeTree(dir)),
  };
}

async function keep(
  copies: Copies,
  { dir, key, tree, base, last }: { dir: string; key: string; tree: Tree; base: Scan; last: Scan },
): Promise<void> {
  const { bytes } = folderOf(tree);
  if (last.ignored.length > 0 || bytes > copies.maxBytes) return await removeTree(dir);
  // Remove entries of the sandbox driver, which may have used the top of the directory.
  for (const name of await readdir(dir)) if (!isTreeRoot(name)) await removeTree(join(dir, name));
  const place = join(copies.dir, randomUUID());
  await rename(dir, place);
  // Keep the saved tree object, so that the next save shares its folders.
  copies.kept.add({ key, dir: place, bytes, scan: { ...(await withTimesOfNow(place, base, last)), tree } });
  copies.sizeBytes += bytes;
  for (const oldest of copies.kept) {
    if (copies.sizeBytes <= copies.maxBytes) return;
    copies.kept.delete(oldest);
    copies.sizeBytes -= oldest.bytes;
    await removeTree(oldest.dir);
  }
}
