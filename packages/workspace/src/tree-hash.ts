// One hash for a whole tree. Equal trees have equal hashes, wherever and in however many objects they are stored.

import { createHash, hash } from "node:crypto";
import { parentOf, type Tree, type TreeEntry } from "./tree.ts";

/**
 * Merkle hash, lower-case hex sha256. A directory's hash covers its entries in byte order, each as
 * `type mode size hash name NUL`; the tree's covers the two roots. Covers permissions, not times or storage.
 */
export function treeHash(tree: Tree): string {
  const children = new Map<string, string[]>();
  // A parent sorts before what is in it, so backwards every directory is complete when it is met.
  for (const entry of [...tree.values()].reverse()) {
    const parent = parentOf(entry.path);
    const line = lineOf(entry, children);
    const lines = children.get(parent);
    if (lines === undefined) children.set(parent, [line]);
    else lines.push(line);
  }
  return hash("sha256", `dari-tree 1\0${hashOf("state", children)} ${hashOf("workspace", children)}`);
}

function lineOf(entry: TreeEntry, children: ReadonlyMap<string, string[]>): string {
  const name = entry.path.slice(entry.path.lastIndexOf("/") + 1);
  return `${entry.type} ${entry.mode.toString(8)} ${entry.sizeBytes} ${contentHash(entry, children)} ${name}\0`;
}

function contentHash(entry: TreeEntry, children: ReadonlyMap<string, string[]>): string {
  switch (entry.type) {
    case "file":
      return entry.sha256 ?? "";
    case "symlink":
      return hash("sha256", entry.target ?? "");
    case "directory":
      return hashOf(entry.path, children);
  }
}

function hashOf(directory: string, children: ReadonlyMap<string, string[]>): string {
  const lines = children.get(directory) ?? [];
  const digest = createHash("sha256");
  for (let i = lines.length - 1; i >= 0; i--) digest.update(lines[i] ?? "");
  return digest.digest("hex");
}
