// Creates a base from a stored squashfs image: the mounted image is the lowest layer, and the layer above has the
// differences.

import type { BlobStore } from "@dari/blobs";
import { mkdirSync } from "node:fs";
import { link, lstat, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { diff, type Change } from "../../tree/diff-trees.ts";
import type { OpenDisk } from "../disk.ts";
import { folderOf } from "../../tree/folder.ts";
import { chunkBytes } from "../../snapshot/frame.ts";
import { getSquashfsBase, squashfsEntry, type SquashfsBase, type SquashfsRef } from "../../snapshot/squashfs-image.ts";
import type { OverlayBase, OverlayLayerStore } from "./overlay-layers.ts";
import type { Mounts } from "./mounts.ts";
import { forEachLimited } from "../../for-each-limited.ts";
import { fetchFile, restore } from "../../restore/restore-tree.ts";
import { isTreeRoot, parentOf, createTree, type Tree, type TreeEntry } from "../../tree/tree.ts";
import { treeHash } from "../../tree/tree-hash.ts";
import { checkInThread } from "../../restore/write-threads.ts";

/** Maximum number of deleted paths, each of which needs a whiteout. With more, restoring the tree is cheaper. */
const deletionsMax = 1_000;
const checksAtOnce = 8;

/**
 * Creates and holds a base of the tree from its squashfs image, or from that of an ancestor. Returns undefined if there
 * is no image, or if too much has changed since. @throws if the image cannot be used; the caller then restores the tree
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
    const isKept = spare !== undefined && (await reuseSpare(spare, squashfs, join(parent, file)));
    isFetched = isKept || (await provideImageFile(blobs, squashfs, parent, file));
    mkdirSync(join(parent, id), { mode: 0o700 });
    await mounts.image({ file: join(parent, file), target: join(parent, id), owner });
    // Once the file is mounted, it needs no name. It disappears with the mount.
    if (!isFetched) await rm(join(parent, file));
  } catch (error) {
    for (const name of [id, file]) await rm(join(parent, name), { recursive: true, force: true });
    throw error;
  }
  const layer = { id, bytes: squashfs.sizeBytes, isSquashfs: true, ...(isFetched ? { squashfsFile: file } : {}) };
  return await store.add({ organizationId, treeHash: treeHash(tree), owner, layers: [layer] });
}

/**
 * Provides a squashfs image at `parent/file`, and checks every chunk. If the object store is on this file system, the
 * file is a hard link. Otherwise it is downloaded. Returns whether it was downloaded.
 */
async function provideImageFile(
  blobs: BlobStore,
  squashfs: SquashfsRef,
  parent: string,
  file: string,
): Promise<boolean> {
  const place = join(parent, file);
  if (await linkFromStore(blobs, squashfs, place)) {
    await checkImage(squashfs, place);
    return false;
  }
  await fetchFile(blobs, squashfsEntry(squashfs, file), parent);
  return true;
}

/**
 * Moves a file that an earlier process downloaded to `place`. Returns false and removes the file if it is not the
 * image.
 */
async function reuseSpare(spare: string, squashfs: SquashfsRef, place: string): Promise<boolean> {
  try {
    await rename(spare, place);
    const found = await lstat(place);
    if (!found.isFile() || found.size !== squashfs.sizeBytes) throw new Error("the file is incomplete");
    await checkImage(squashfs, place);
    return true;
  } catch {
    // The file cannot be used, so the caller provides the image again.
    await rm(place, { force: true });
    return false;
  }
}

/** @throws SnapshotDamagedError */
async function checkImage({ objectKey, sizeBytes, chunks }: SquashfsRef, place: string): Promise<void> {
  // Check one chunk per job, so that all threads finish at about the same time.
  await forEachLimited(chunks, checksAtOnce, async (sha256, index) => {
    const offset = index * chunkBytes;
    const chunk = { offset, sizeBytes: Math.min(chunkBytes, sizeBytes - offset), sha256 };
    await checkInThread({ file: place, objectKey, chunks: [chunk] });
  });
}

// Links the image's file from a local object store, which never changes a file. Returns false if another user could
// write to the file: then it must be copied before it is checked, because the kernel must parse exactly what was
// checked.
async function linkFromStore(blobs: BlobStore, squashfs: SquashfsRef, place: string): Promise<boolean> {
  const stored = blobs.fileOf?.(squashfs.objectKey);
  if (stored === undefined) return false;
  try {
    await link(stored, place);
  } catch {
    // The file is on another file system, or missing. The download handles both cases.
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

/** Returns deleted paths whose parent is still a directory: only these would show through from the layer below. */
function hiddenPaths(tree: Tree, changes: readonly Change[]): string[] {
  return changes.flatMap(({ path, change }) => {
    const parent = parentOf(path);
    const isOpen = isTreeRoot(parent) || tree.get(parent)?.type === "directory";
    return change === "deleted" && isOpen ? path : [];
  });
}
