// What changed between two trees. Compares values only.

import { sameEntry, sortPaths, type Tree, type TreeEntry } from "./tree.ts";

export interface Change {
  readonly path: string;
  readonly change: "created" | "modified" | "deleted";
  /** Of the entry as it is now, or as it was when it is deleted. */
  readonly type: TreeEntry["type"];
  /** Of a file that is there; null otherwise. */
  readonly sizeBytes: number | null;
}

/**
 * Every path that differs, directories included, in byte order. Another mode or type is `modified`; a rename is a
 * deletion and a creation.
 */
export function diff(before: Tree, after: Tree): Change[] {
  const changes = new Map<string, Change>();
  for (const [path, entry] of after) {
    const old = before.get(path);
    if (old !== undefined && (old === entry || sameEntry(old, entry))) continue;
    const sizeBytes = entry.type === "file" ? entry.sizeBytes : null;
    changes.set(path, { path, change: old === undefined ? "created" : "modified", type: entry.type, sizeBytes });
  }
  for (const [path, { type }] of before) {
    if (!after.has(path)) changes.set(path, { path, change: "deleted", type, sizeBytes: null });
  }
  return sortPaths([...changes.keys()]).flatMap((path) => changes.get(path) ?? []);
}
