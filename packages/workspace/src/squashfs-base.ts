// Makes a base from a stored squashfs image, mounted as the lowest layer, and a layer above with the differences.

import type { BlobStore } from "@dari/blobs";
import { mkdirSync } from "node:fs";
import { link, lstat, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { diff, type Change } from "./diff.ts";
import type { OpenDisk } from "./disk.ts";
import { folderOf } from "./folder.ts";
import { chunkBytes } from "./frame.ts";
import { getSquashfsBase, squashfsEntry, type SquashfsBase, type SquashfsRef } from "./squashfs.ts";
import type { OverlayBase, OverlayLayerStore } from "./overlay-layers.ts";
import type { Mounts } from "./mounts.ts";
import { forEachLimited } from "./for-each-limited.ts";
import { fetchFile, restore } from "./restore.ts";
import { isTreeRoot, parentOf, createTree, type Tree, type TreeEntry } from "./tree.ts";
import { treeHash } from "./tree-hash.ts";
import { checkInThread } from "./write-threads.ts";

/** Each deletion needs a mark. With more than this, restoring is cheaper. */
const deletionsMax = 1_000;
const checksAtOnce = 8;

/**
 * A base of `tree`, held, from the squashfs image that it or its ancestor is stored as. Undefined where there is none,
 * or where too much has changed since. Throws what mounting says; the caller then lays the whole tree out.
 */
export async function openSquashfsBase(
  store: OverlayLayerStore,
  mounts: Mounts,
  options: OpenDisk,
): Promise<OverlayBase | undefined> {
  const { organizationId, tree, owner } = options;
  const found = getSquashfsBase(tree);
  if (found === undefined) return undefined;
  const changes = found.tree === tree ? [] : diff(found.tree, tree);
  const hidden = hiddenPaths(tree, changes);
  if (!isFew(changes, found.tree) || hidden.length > deletionsMax) return undefined;
  const hash = treeHash(tree);
  const kept = store.hold({ organizationId, treeHash: treeHash(found.tree), owner });
  const below = kept ?? (await mountSquashfs(store, mounts, options, found));
  if (below.treeHash === hash) return below;
  const id = store.newLayerId(organizationId);
  const dir = join(store.directory(organizationId), id);
  try {
    const part = partOf(tree, changes);
    await restore({ ...options, tree: part, dir });
    await mounts.whiteouts(dir, hidden);
    const layers = [{ id, bytes: folderOf(part).bytes }, ...below.layers];
    return await store.add({ organizationId, treeHash: hash, owner, layers });
  } catch (error) {
    await rm(dir, { recursive: true, force: true });
    throw error;
  } finally {
    await store.release(below);
  }
}

function isFew(changes: readonly Change[], tree: Tree): boolean {
  const written = changes.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0);
  return changes.length * 2 <= tree.size && written * 2 <= folderOf(tree).bytes;
}

async function mountSquashfs(
  store: OverlayLayerStore,
  mounts: Mounts,
  { organizationId, store: blobs, owner }: OpenDisk,
  { squashfs, tree }: SquashfsBase,
): Promise<OverlayBase> {
  const id = store.newLayerId(organizationId);
  const parent = store.directory(organizationId);
  const file = store.newSquashfsFile(squashfs.objectKey, id);
  let isFetched: boolean;
  try {
    const spare = store.takeSpare(organizationId, squashfs.objectKey);
    const isKept = spare !== undefined && (await takeOver(spare, squashfs, join(parent, file)));
    isFetched = isKept || (await bring(blobs, squashfs, parent, file));
    mkdirSync(join(parent, id), { mode: 0o700 });
    await mounts.image({ file: join(parent, file), target: join(parent, id), owner });
    // Once mounted, the file needs no name, and disappears with the mount.
    if (!isFetched) await rm(join(parent, file));
  } catch (error) {
    for (const name of [id, file]) await rm(join(parent, name), { recursive: true, force: true });
    throw error;
  }
  const layer = { id, bytes: squashfs.sizeBytes, isSquashfs: true, ...(isFetched ? { squashfsFile: file } : {}) };
  return await store.add({ organizationId, treeHash: treeHash(tree), owner, layers: [layer] });
}

/**
 * Brings a squashfs image to `parent/file`, every chunk checked: by a second name where the store is here, else
 * fetched. Says whether it was fetched.
 */
async function bring(blobs: BlobStore, squashfs: SquashfsRef, parent: string, file: string): Promise<boolean> {
  const place = join(parent, file);
  if (await linkFromStore(blobs, squashfs, place)) {
    await check(squashfs, place);
    return false;
  }
  await fetchFile(blobs, squashfsEntry(squashfs, file), parent);
  return true;
}

/** Moves an earlier process's file to `place` if it is the squashfs image, otherwise removes it. */
async function takeOver(spare: string, squashfs: SquashfsRef, place: string): Promise<boolean> {
  try {
    await rename(spare, place);
    const found = await lstat(place);
    if (!found.isFile() || found.size !== squashfs.sizeBytes) throw new Error("it is not whole");
    await check(squashfs, place);
    return true;
  } catch {
    // An unusable file only costs time.
    await rm(place, { force: true });
    return false;
  }
}

/** @throws SnapshotDamagedError */
async function check({ objectKey, sizeBytes, chunks }: SquashfsRef, place: string): Promise<void> {
  // One per thread at a time, so that the threads finish together.
  await forEachLimited(chunks, checksAtOnce, async (sha256, index) => {
    const offset = index * chunkBytes;
    const chunk = { offset, sizeBytes: Math.min(chunkBytes, sizeBytes - offset), sha256 };
    await checkInThread({ file: place, objectKey, chunks: [chunk] });
  });
}

// The local store never changes a file. A file that another user can write to is copied before it is checked, because
// the kernel must parse what was checked.
async function linkFromStore(blobs: BlobStore, squashfs: SquashfsRef, place: string): Promise<boolean> {
  const stored = blobs.fileOf?.(squashfs.objectKey);
  if (stored === undefined) return false;
  try {
    await link(stored, place);
  } catch {
    // It is on another file system, or missing; the download handles both.
    return false;
  }
  const found = await lstat(place);
  const isWhole = found.isFile() && found.size === squashfs.sizeBytes;
  const isOurs = isWhole && found.uid === process.geteuid?.() && (found.mode & 0o022) === 0;
  if (isOurs) return true;
  await rm(place);
  return false;
}

// Returns new and changed entries, and the directories on their paths, also of deleted ones.
function partOf(tree: Tree, changes: readonly Change[]): Tree {
  const entries = new Map<string, TreeEntry>();
  for (const { path } of changes) {
    for (let at = path; at !== "" && !isTreeRoot(at); at = parentOf(at)) {
      const entry = tree.get(at);
      if (entry !== undefined) entries.set(at, entry);
    }
  }
  return createTree(entries.values());
}

/** Returns deleted paths whose parent still is a directory. Elsewhere nothing shows through. */
function hiddenPaths(tree: Tree, changes: readonly Change[]): string[] {
  return changes.flatMap(({ path, change }) => {
    const parent = parentOf(path);
    const isOpen = isTreeRoot(parent) || tree.get(parent)?.type === "directory";
    return change === "deleted" && isOpen ? path : [];
  });
}
