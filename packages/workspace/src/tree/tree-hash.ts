// One hash for a whole tree. Equal trees have equal hashes, wherever they are stored.

import { hash } from "node:crypto";
import { folderHash, folderOf, isFolder, type Folder } from "./folder.ts";
import type { Tree } from "./tree.ts";

/**
 * Returns the Merkle hash as lower-case hex sha256. A directory's hash covers its entries in byte order, each as `type
 * mode size hash name NUL`; the tree's covers the two roots. Covers permissions, not times or storage. For an edited
 * tree, only the directories on the edited paths are hashed again.
 */
export function treeHash(tree: Tree): string {
  const top = folderOf(tree);
  return hash("sha256", `dari-tree 1\0${hashOfRoot(top, "state")} ${hashOfRoot(top, "workspace")}`);
}

function hashOfRoot(top: Folder, root: string): string {
  const folder = top.children.get(root);
  if (!isFolder(folder)) throw new TypeError(`${root} is not a directory`);
  return folderHash(folder);
}
