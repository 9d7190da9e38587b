// Session directories as overlays: cached layers of the tree at the bottom, an empty directory for the changes on top.
// The cost of opening, scanning and keeping depends on what the turn changed, not on the size of the tree. This process
// owns the mount, and sandboxes bind-mount it.

import { chmodSync, lstatSync } from "node:fs";
import { lstat, mkdir, mkdtemp, readdir, rm, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { removeTree } from "@dari/native";
import type { DiskScan, DisksOptions, OpenDisk, PlainDisk, PlainDisks } from "../disk.ts";
import { SnapshotDamagedError } from "../../errors.ts";
import { editTree, folderOf } from "../../tree/folder.ts";
import { mergeOverlayLayers } from "./merge-overlay-layers.ts";
import { getSquashfsBase } from "../../snapshot/squashfs-image.ts";
import { openSquashfsBase } from "./open-squashfs-base.ts";
import { setTimesToNow } from "../../directory/set-times.ts";
import { OverlayLayerStore, type OverlayBase } from "./overlay-layers.ts";
import { sweepMounts, type Mounts } from "./mounts.ts";
import { restore } from "../../restore/restore-tree.ts";
import { isTreeRoot, treeRoots, type Tree } from "../../tree/tree.ts";
import { treeHash } from "../../tree/tree-hash.ts";
import { readOverlayChanges, type OverlayChanges } from "./read-overlay-changes.ts";
import { assertTotalBytes, tooManyFilesError } from "../../directory/walk-directory.ts";

/** The layers of a base with more layers are merged into one, if nothing else uses them. */
const layersMax = 8;
/** A base with more layers is not kept: the kernel limits the length of a mount's list of layers. */
const layersHardMax = 24;

interface Overlays {
  readonly store: OverlayLayerStore;
  readonly mounts: Mounts;
  /** Bases that are being loaded from the object store, so that concurrent turns load each base only once. */
  readonly loading: Map<string, Promise<OverlayBase>>;
  readonly onSquashfsUnused: DisksOptions["onSquashfsUnused"];
  squashfsUnused: number;
}

const otherFileSystem = "use a directory on a file system that supports overlay upper layers, such as ext4 or xfs";

/** Returns why overlays cannot be used below `dir`, and what to do; undefined if they can. */
export async function probeOverlays(dir: string, mounts: Mounts): Promise<string | undefined> {
  const top = await mkdtemp(join(dir, "probe-"));
  try {
    await mkdir(join(top, "low"));
    await writeFile(join(top, "low", "a"), "a");
    await mkdir(join(top, "low", "dir", "old"), { recursive: true });
    const target = join(top, "at");
    await mounts.overlay({ cwd: top, lower: ["low"], upper: "up", work: "work", target });
    try {
      await unlink(join(target, "a"));
      const mark = await lstat(join(top, "up", "a"));
      if (!mark.isCharacterDevice())
        return `deletions are not recorded as whiteouts in overlays below ${dir}; ${otherFileSystem}`;
      await rm(join(target, "dir"), { recursive: true });
      await mkdir(join(target, "dir"));
      const shown = await readdir(join(target, "dir"));
      if (shown.length === 0) return undefined;
      return `recreated directories are not marked opaque in overlays below ${dir}; ${otherFileSystem}`;
    } finally {
      await mounts.unmount(target);
    }
  } catch (error) {
    return (error as Error).message;
  } finally {
    await removeTree(top);
  }
}

export async function openOverlays(o: {
  dir: string;
  maxBytes: number;
  mounts: Mounts;
  onSquashfsUnused?: DisksOptions["onSquashfsUnused"];
}): Promise<PlainDisks> {
  const store = new OverlayLayerStore(o.dir, o.maxBytes, (target) => o.mounts.unmount(target));
  // Unmounts what a killed process has left.
  await sweepMounts(o.dir);
  await store.load(o.mounts.marks);
  const { mounts, onSquashfsUnused } = o;
  const overlays: Overlays = { store, mounts, loading: new Map(), onSquashfsUnused, squashfsUnused: 0 };
  return {
    kind: "overlay",
    reason: "",
    open: (options) => open(overlays, options),
    get sizeBytes() {
      return store.sizeBytes;
    },
    get squashfsUnused() {
      return overlays.squashfsUnused;
    },
    async close() {
      await store.close();
      await o.mounts.close();
    },
  };
}

async function open(overlays: Overlays, options: OpenDisk): Promise<PlainDisk> {
  const { store, mounts } = overlays;
  const { organizationId, dir, owner } = options;
  const hash = treeHash(options.tree);
  const kept = store.hold({ organizationId, treeHash: hash, owner });
  const base = kept ?? (await loadBase(overlays, options, hash));
  const cwd = store.directory(organizationId);
  const upper = store.newLayerId(organizationId);
  const work = `${upper}.w`;
  try {
    const lower = base.layers.map(({ id }) => id);
    await mounts.overlay({ cwd, lower, upper, work, target: dir, owner: options.owner });
  } catch (error) {
    await mounts.remove(cwd, [upper, work]);
    await store.release(base);
    throw error;
  }
  return diskOf(overlays, options, { base, cwd, upper, work, isWarm: kept !== undefined });
}

/** Loads the base from the object store, and holds it for the caller. Concurrent calls load a base only once. */
async function loadBase(overlays: Overlays, options: OpenDisk, hash: string): Promise<OverlayBase> {
  const { store, loading } = overlays;
  const { organizationId, owner } = options;
  const key = `${organizationId}/${hash}`;
  for (let other = loading.get(key); other !== undefined; other = loading.get(key)) {
    await other.catch(() => undefined);
    const base = store.hold({ organizationId, treeHash: hash, owner });
    if (base !== undefined) return base;
  }
  const mine = restoreBase(overlays, options, hash);
  loading.set(key, mine);
  try {
    return await mine;
  } finally {
    loading.delete(key);
  }
}

async function restoreBase(overlays: Overlays, options: OpenDisk, hash: string): Promise<OverlayBase> {
  const { store } = overlays;
  const { organizationId, tree, owner } = options;
  const mounted = await trySquashfsBase(overlays, options);
  if (mounted !== undefined) return mounted;
  const id = store.newLayerId(organizationId);
  const dir = join(store.directory(organizationId), id);
  try {
    await restore({ ...options, dir });
  } catch (error) {
    await removeTree(dir);
    throw error;
  }
  return await store.add({ organizationId, treeHash: hash, owner, layers: [{ id, bytes: folderOf(tree).bytes }] });
}

/**
 * Mounts the base as a squashfs image. Returns undefined if that is not possible: the caller then restores the base
 * from the packs, which have the same contents.
 */
async function trySquashfsBase(overlays: Overlays, options: OpenDisk): Promise<OverlayBase | undefined> {
  const { store, mounts } = overlays;
  const { organizationId, tree } = options;
  // The kernel mounts no squashfs image in a user namespace, so do not download one.
  if (mounts.marks === "user") return undefined;
  return await openSquashfsBase(store, mounts, options).catch((error: unknown) => {
    overlays.squashfsUnused++;
    const damaged = error instanceof SnapshotDamagedError ? error.objectKey : undefined;
    const objectKey = damaged ?? getSquashfsBase(tree)?.squashfs.objectKey ?? "";
    const reason = error instanceof Error ? error.message : String(error);
    overlays.onSquashfsUnused?.({ organizationId, objectKey, reason });
    return undefined;
  });
}

interface Opened {
  readonly base: OverlayBase;
  readonly cwd: string;
  readonly upper: string;
  readonly work: string;
  readonly isWarm: boolean;
}

function diskOf(overlays: Overlays, options: OpenDisk, opened: Opened): PlainDisk {
  const { dir, tree, limits } = options;
  let last: OverlayChanges | undefined;
  let ended: Promise<void> | undefined;
  return {
    dir,
    isWarm: opened.isWarm,
    async scan(): Promise<DiskScan> {
      const upper = join(opened.cwd, opened.upper);
      last = await readOverlayChanges({ upper, merged: dir, base: tree, limits });
      const now = editTree(tree, last.edits);
      const { entries, bytes } = folderOf(now);
      if (entries > limits.files) throw tooManyFilesError(limits);
      assertTotalBytes(bytes, limits);
      return { tree: now, ignored: last.ignored, filesHashed: last.filesHashed };
    },
    keep: (saved) => (ended ??= keep(overlays, options, opened, saved, last)),
    close: () => (ended ??= end(overlays, options, opened)),
  };
}

async function end({ mounts, store }: Overlays, { dir }: OpenDisk, { base, cwd, upper, work }: Opened): Promise<void> {
  // Sent together: the native program removes the directories after it has unmounted the overlay.
  await Promise.all([mounts.unmount(dir), mounts.remove(cwd, [upper, work])]);
  await store.release(base);
}

async function keep(
  overlays: Overlays,
  options: OpenDisk,
  opened: Opened,
  saved: Tree,
  last: OverlayChanges | undefined,
): Promise<void> {
  const { store, mounts } = overlays;
  const { base, cwd, upper, work } = opened;
  const hash = treeHash(saved);
  const layers = [{ id: upper, bytes: last?.bytes ?? 0 }, ...base.layers];
  const isNew = hash !== base.treeHash && last !== undefined && layers.length <= layersHardMax;
  if (!isNew || !(await removeUnsaved(options.dir, last))) return await end(overlays, options, opened);
  const [isClosed] = await Promise.all([mounts.unmount(options.dir), mounts.remove(cwd, [work])]);
  if (!isClosed) {
    await mounts.remove(cwd, [upper]);
    return await store.release(base);
  }
  await removeNonRoots(join(cwd, upper));
  await setTimesToNow(join(cwd, upper), changedIn(join(cwd, upper), last));
  const { organizationId, owner } = options;
  const next = await store.add({ organizationId, treeHash: hash, owner, layers });
  await store.release(base);
  await store.release(next.layers.length > layersMax ? await mergeLayers(store, next, saved) : next);
}

/**
 * Removes through the mount what snapshots do not store. Returns false if the directory still differs from what was
 * saved.
 */
async function removeUnsaved(dir: string, { ignored, special }: OverlayChanges): Promise<boolean> {
  if (ignored.some(({ reason }) => reason !== "special_file")) return false;
  try {
    for (const { path } of ignored) await unlink(join(dir, path));
    for (const path of special) {
      const place = join(dir, path);
      chmodSync(place, lstatSync(place).mode & 0o777);
    }
    return true;
  } catch {
    return false;
  }
}

/** Returns the roots and entries of an upper directory, each directory before its contents. */
function changedIn(upper: string, { edits }: OverlayChanges): { path: string; type: string }[] {
  const roots = treeRoots.filter((root) => lstatSync(join(upper, root), { throwIfNoEntry: false }) !== undefined);
  const entries = edits.flatMap(({ path, entry }) => (entry === undefined ? [] : { path, type: entry.type }));
  return [...roots.map((path) => ({ path, type: "directory" })), ...entries];
}

/** Removes entries of the sandbox driver, which may have used the top of the directory. */
async function removeNonRoots(upper: string): Promise<void> {
  const names = await readdir(upper);
  await removeAll(
    upper,
    names.filter((name) => !isTreeRoot(name)),
  );
}

/** Merges the base's layers into one, unless something else uses them. Returns the base that the caller then holds. */
async function mergeLayers(store: OverlayLayerStore, base: OverlayBase, tree: Tree): Promise<OverlayBase> {
  await store.removeRelatives(base);
  const bottom = base.layers.at(-1);
  if (bottom === undefined || bottom.isSquashfs === true || !store.isAlone(base)) return base;
  const dir = store.directory(base.organizationId);
  await store.withdraw(base);
  const uppers = base.layers.slice(0, -1).map(({ id }) => id);
  try {
    await mergeOverlayLayers({
      bottom: join(dir, bottom.id),
      uppers: uppers.toReversed().map((id) => join(dir, id)),
      tree,
    });
    await removeAll(dir, uppers);
  } catch (error) {
    await removeAll(dir, [...uppers, bottom.id]);
    throw error;
  }
  return await store.add({ ...base, layers: [{ id: bottom.id, bytes: folderOf(tree).bytes }] });
}

async function removeAll(dir: string, names: readonly string[]): Promise<void> {
  await Promise.all(names.map((name) => removeTree(join(dir, name))));
}
