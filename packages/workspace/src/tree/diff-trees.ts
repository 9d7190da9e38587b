// The changes between two trees. Skips folders that both share.

import { entriesBelow, entryOfChild, folderOf, isFolder, type Folder, type FolderChild } from "./folder.ts";
import { sameEntry, sortPaths, type Tree, type TreeEntry } from "./tree.ts";

export interface Change {
  readonly path: string;
  readonly change: "created" | "modified" | "deleted";
  /** The entry's type; for a deleted entry, its former type. */
  readonly type: TreeEntry["type"];
  /** The size of an existing file; otherwise null. */
  readonly sizeBytes: number | null;
}

/**
 * Returns every path that differs, directories included, in byte order. A changed mode or type is `modified`; a rename
 * is a deletion and a creation.
 */
export function diff(before: Tree, after: Tree): Change[] {
  const changes = new Map<string, Change>();
  if (before !== after) compareFolders(folderOf(before), folderOf(after), changes);
  return sortPaths([...changes.keys()]).flatMap((path) => changes.get(path) ?? []);
}

function compareFolders(before: Folder, after: Folder, changes: Map<string, Change>): void {
  if (before.children === after.children) return;
  for (const [name, child] of after.children) {
    const old = before.children.get(name);
    if (old === child) continue;
    compareEntries(old, child, changes);
    if (!isFolder(child)) continue;
    if (isFolder(old)) compareFolders(old, child, changes);
    else for (const entry of entriesBelow(child)) note(entry, "created", changes);
  }
  for (const [name, old] of before.children) {
    const child = after.children.get(name);
    if (old === child) continue;
    const entry = entryOfChild(old);
    if (child === undefined && entry !== undefined) note(entry, "deleted", changes);
    if (isFolder(old) && !isFolder(child)) for (const each of entriesBelow(old)) note(each, "deleted", changes);
  }
}

function compareEntries(old: FolderChild | undefined, child: FolderChild, changes: Map<string, Change>): void {
  const [was, is] = [old === undefined ? undefined : entryOfChild(old), entryOfChild(child)];
  if (is === undefined || (was !== undefined && sameEntry(was, is))) return;
  note(is, was === undefined ? "created" : "modified", changes);
}

function note({ path, type, sizeBytes }: TreeEntry, change: Change["change"], changes: Map<string, Change>): void {
  const isThere = type === "file" && change !== "deleted";
  changes.set(path, { path, change, type, sizeBytes: isThere ? sizeBytes : null });
}
