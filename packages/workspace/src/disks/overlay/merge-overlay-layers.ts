// Merges several layers into one by renames, so that the cost depends on the size of the upper layers. No layer may be
// mounted.

import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, type Stats } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTick } from "node:timers/promises";
import { treeRoots, type Tree } from "../../tree/tree.ts";

const entriesPerTick = 256;

/**
 * Moves the contents of `uppers`, the lowest first, into `bottom`. `tree` is the tree that all layers show together.
 * Entries that a whiteout or an opaque directory hides are not in the tree, and are removed from `bottom`.
 */
export async function mergeOverlayLayers(o: { bottom: string; uppers: readonly string[]; tree: Tree }): Promise<void> {
  let moved = 0;
  for (const upper of o.uppers) {
    const pending: string[] = treeRoots.filter((root) => lstatSync(join(upper, root), { throwIfNoEntry: false }));
    for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
      for (const entry of readdirSync(join(upper, folder), { withFileTypes: true })) {
        const path = `${folder}/${entry.name}`;
        const is = o.tree.get(path)?.type;
        if (++moved % entriesPerTick === 0) await nextTick();
        // A higher layer may have replaced or deleted the entry.
        if (entry.isDirectory() && is === "directory") {
          makeDirectory(join(o.bottom, path), lstatSync(join(upper, path)));
          pending.push(path);
        } else if ((entry.isFile() && is === "file") || (entry.isSymbolicLink() && is === "symlink")) {
          moveOver(join(upper, path), join(o.bottom, path));
        }
      }
      removeHidden(o.bottom, folder, o.tree);
    }
  }
}

function makeDirectory(place: string, { mode, uid, gid }: Stats): void {
  const there = lstatSync(place, { throwIfNoEntry: false });
  if (there !== undefined && !there.isDirectory()) rmSync(place);
  if (!there?.isDirectory()) mkdirSync(place);
  const { uid: ownUid, gid: ownGid } = lstatSync(place);
  if (ownUid !== uid || ownGid !== gid) chownSync(place, uid, gid);
  chmodSync(place, mode & 0o777);
}

function moveOver(from: string, to: string): void {
  if (lstatSync(to, { throwIfNoEntry: false })?.isDirectory()) rmSync(to, { recursive: true });
  renameSync(from, to);
}

function removeHidden(bottom: string, folder: string, tree: Tree): void {
  for (const name of readdirSync(join(bottom, folder))) {
    if (!tree.has(`${folder}/${name}`)) rmSync(join(bottom, folder, name), { recursive: true });
  }
}
