// A tree of immutable folders, which several trees can share. An edit copies only the folders on its path, so the cost
// of hashing and comparing the result depends on the edit, not on the size of the tree.

import { hash } from "node:crypto";
import { isTreeRoot, sortPaths, treeRoots, type Tree, type TreeEntry } from "./tree.ts";

export interface Folder {
  /** Undefined for the top and the two roots, which are not entries. */
  readonly entry: TreeEntry | undefined;
  readonly children: ReadonlyMap<string, FolderChild>;
  /** Entries below, the files among them, and the size of those files. */
  readonly entries: number;
  readonly files: number;
  readonly bytes: number;
}

export type FolderChild = Folder | TreeEntry;

/** `entry` undefined: the path and everything below it is removed. */
export interface TreeEdit {
  readonly path: string;
  readonly entry: TreeEntry | undefined;
}

interface Draft {
  entry: TreeEntry | undefined;
  children: Map<string, Draft | FolderChild>;
  isDraft: true;
}

const folders = new WeakMap<Tree, Folder>();
const hashes = new WeakMap<Folder, string>();
const orders = new WeakMap<Folder, readonly string[]>();

/**
 * Returns the top folder of a tree, whose children are the two roots; created once per tree. @throws TypeError for an
 * orphan.
 */
export function folderOf(tree: Tree): Folder {
  let top = tree instanceof FolderTree ? tree.top : folders.get(tree);
  if (top === undefined) {
    top = applyEdits(emptyTop, tree.values());
    folders.set(tree, top);
  }
  return top;
}

/** Returns `tree` with these edits: first the removals, then the rest in the order of their paths. */
export function editTree(tree: Tree, edits: Iterable<TreeEdit>): Tree {
  const set = new Map<string, TreeEntry>();
  const removed: string[] = [];
  for (const { path, entry } of edits) {
    if (entry === undefined) removed.push(path);
    else set.set(path, entry);
  }
  const inOrder = sortPaths([...set.keys()]).flatMap((path) => set.get(path) ?? []);
  return new FolderTree(applyEdits(folderOf(tree), inOrder, removed));
}

export function isFolder(child: FolderChild | undefined): child is Folder {
  return child !== undefined && "children" in child;
}

export function entryOfChild(child: FolderChild): TreeEntry | undefined {
  return isFolder(child) ? child.entry : child;
}

/** Returns the Merkle hash of a folder's children. Cached. */
export function folderHash(folder: Folder): string {
  let known = hashes.get(folder);
  if (known === undefined) {
    const names = sortPaths([...folder.children.keys()]);
    known = hash("sha256", names.map((name) => lineOf(name, folder.children.get(name))).join(""));
    hashes.set(folder, known);
  }
  return known;
}

/** Returns the entries below a folder, in byte order of their paths. */
export function* entriesBelow(folder: Folder): Generator<TreeEntry> {
  for (const key of orderOf(folder)) {
    if (!key.endsWith("/")) {
      const entry = entryOfChild(folder.children.get(key) as FolderChild);
      if (entry !== undefined) yield entry;
    } else {
      yield* entriesBelow(folder.children.get(key.slice(0, -1)) as Folder);
    }
  }
}

/** Returns what is at a path: an entry, a folder, or one of the roots. */
export function childAt(top: Folder, path: string): FolderChild | undefined {
  let at: FolderChild | undefined = top;
  for (let start = 0; start <= path.length;) {
    if (!isFolder(at)) return undefined;
    const slash = path.indexOf("/", start);
    const end = slash < 0 ? path.length : slash;
    at = at.children.get(path.slice(start, end));
    start = end + 1;
  }
  return at;
}

/** A tree over folders. Iterates in byte order of the paths. */
class FolderTree implements ReadonlyMap<string, TreeEntry> {
  readonly #top: Folder;

  constructor(top: Folder) {
    this.#top = top;
  }

  get top(): Folder {
    return this.#top;
  }

  get size(): number {
    return this.#top.entries;
  }

  get(path: string): TreeEntry | undefined {
    const child = childAt(this.#top, path);
    return child === undefined ? undefined : entryOfChild(child);
  }

  has(path: string): boolean {
    return this.get(path) !== undefined;
  }

  forEach(callback: (entry: TreeEntry, path: string, tree: ReadonlyMap<string, TreeEntry>) => void): void {
    for (const entry of entriesBelow(this.#top)) callback(entry, entry.path, this);
  }

  keys(): MapIterator<string> {
    return mapped(this.#top, (entry) => entry.path);
  }

  values(): MapIterator<TreeEntry> {
    return mapped(this.#top, (entry) => entry);
  }

  entries(): MapIterator<[string, TreeEntry]> {
    return mapped(this.#top, (entry) => [entry.path, entry]);
  }

  [Symbol.iterator](): MapIterator<[string, TreeEntry]> {
    return this.entries();
  }
}

// Returns an iterator like a Map's.
function mapped<T>(top: Folder, value: (entry: TreeEntry) => T): MapIterator<T> {
  function* values(): Generator<T, undefined> {
    for (const entry of entriesBelow(top)) yield value(entry);
    return undefined;
  }
  return values() as unknown as MapIterator<T>;
}

function emptyFolder(entry: TreeEntry | undefined, children: ReadonlyMap<string, FolderChild> = new Map()): Folder {
  return { entry, children, entries: 0, files: 0, bytes: 0 };
}

const emptyTop = emptyFolder(undefined, new Map(treeRoots.map((root) => [root, emptyFolder(undefined)])));

// Applies edits to a folder. `entries`: each folder must come before its contents.
function applyEdits(top: Folder, entries: Iterable<TreeEntry>, removed: readonly string[] = []): Folder {
  const draft = draftOf(top);
  for (const path of removed) {
    const parent = findParent(draft, path);
    parent?.children.delete(path.slice(path.lastIndexOf("/") + 1));
  }
  for (const entry of entries) {
    const parent = findParent(draft, entry.path);
    if (parent === undefined || isTreeRoot(entry.path)) throw new TypeError(`no directory holds ${entry.path}`);
    const name = entry.path.slice(entry.path.lastIndexOf("/") + 1);
    parent.children.set(name, entry.type === "directory" ? withEntry(parent.children.get(name), entry) : entry);
  }
  return finishDraft(draft);
}

function draftOf(folder: Folder): Draft {
  return { entry: folder.entry, children: new Map(folder.children), isDraft: true };
}

function withEntry(old: Draft | FolderChild | undefined, entry: TreeEntry): Draft {
  if (old !== undefined && isDraft(old)) {
    old.entry = entry;
    return old;
  }
  return isFolder(old) ? { ...draftOf(old), entry } : { entry, children: new Map(), isDraft: true };
}

function isDraft(child: Draft | FolderChild): child is Draft {
  return "isDraft" in child;
}

// Returns the draft of the folder that contains the path. Converts the folders on the path into drafts.
function findParent(top: Draft, path: string): Draft | undefined {
  let at = top;
  for (let start = 0, slash = path.indexOf("/"); slash >= 0; start = slash + 1, slash = path.indexOf("/", start)) {
    const name = path.slice(start, slash);
    const next = at.children.get(name);
    if (next === undefined) return undefined;
    if (isDraft(next)) {
      at = next;
      continue;
    }
    if (!isFolder(next)) return undefined;
    const draft = draftOf(next);
    at.children.set(name, draft);
    at = draft;
  }
  return at;
}

function finishDraft(draft: Draft): Folder {
  const children = draft.children as Map<string, FolderChild>;
  let [entries, files, bytes] = [0, 0, 0];
  for (const [name, child] of draft.children) {
    let done: FolderChild;
    if (isDraft(child)) children.set(name, (done = finishDraft(child)));
    else done = child;
    if (isFolder(done)) {
      entries += done.entries + (done.entry === undefined ? 0 : 1);
      files += done.files;
      bytes += done.bytes;
    } else {
      entries++;
      if (done.type === "file") {
        files++;
        bytes += done.sizeBytes;
      }
    }
  }
  return { entry: draft.entry, children, entries, files, bytes };
}

// Returns a folder's names in the byte order of paths: the contents of a folder come after siblings whose names only
// begin with the folder's name (`a`, `a-b`, `a/x`).
function orderOf(folder: Folder): readonly string[] {
  let order = orders.get(folder);
  if (order === undefined) {
    const keys: string[] = [];
    for (const [name, child] of folder.children) {
      keys.push(name);
      if (isFolder(child) && child.entries > 0) keys.push(`${name}/`);
    }
    orders.set(folder, (order = sortPaths(keys)));
  }
  return order;
}

// Returns the line of an entry in the hash of its folder.
function lineOf(name: string, child: FolderChild | undefined): string {
  const entry = child === undefined ? undefined : entryOfChild(child);
  if (child === undefined || entry === undefined) return "";
  const content = isFolder(child) ? folderHash(child) : contentHash(entry);
  return `${entry.type} ${octal(entry.mode)} ${entry.sizeBytes} ${content} ${name}\0`;
}

// Cached, because a tree has few modes and many entries.
const octals = new Map<number, string>();

function octal(mode: number): string {
  let text = octals.get(mode);
  if (text === undefined) octals.set(mode, (text = mode.toString(8)));
  return text;
}

function contentHash(entry: TreeEntry): string {
  return entry.type === "symlink" ? hash("sha256", entry.target ?? "") : (entry.sha256 ?? "");
}
