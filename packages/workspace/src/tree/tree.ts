// The contents of a session's directory as values.

/** A compressed piece of an object, the smallest unit that can be read from storage. */
export interface Frame {
  readonly objectKey: string;
  /** Position in the object, from its first byte. */
  readonly offset: number;
  /** Size in the object, in bytes. */
  readonly storedBytes: number;
  /** Size of the decompressed content, in bytes. */
  readonly sizeBytes: number;
  readonly codec: "stored" | "zstd";
  /** The hash of the stored bytes. Older objects have none. */
  readonly sha256?: string;
}

/** Where a piece of a file's content is: bytes `offset` to `offset + sizeBytes` of the decompressed frame. */
export interface ChunkLocation {
  readonly frame: Frame;
  readonly offset: number;
  readonly sizeBytes: number;
  /** Hash of the chunk's content. */
  readonly sha256: string;
}

export interface TreeEntry {
  /** The relative POSIX path, below `workspace/` or `state/`. */
  readonly path: string;
  readonly type: "file" | "directory" | "symlink";
  /** Permission bits, 0 to 0o777. Always 0o777 for a symlink. */
  readonly mode: number;
  /** Size of the content; 0 for a directory, the target's length for a symlink. */
  readonly sizeBytes: number;
  /** Files only: hash of the whole content, in lower-case hex. */
  readonly sha256?: string;
  /** Symlinks only: the target, never followed. */
  readonly target?: string;
  /** Only for files of a saved tree: the content's chunks in order; empty for an empty file. */
  readonly location?: readonly ChunkLocation[];
}

/** Entries by path, in byte order of their paths. The two roots always exist and are not entries. */
export type Tree = ReadonlyMap<string, TreeEntry>;

export const treeRoots = ["state", "workspace"] as const;
export const emptyTree: Tree = new Map();
export const emptySha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** Returns a sorted tree of these entries. If a path occurs twice, the last entry counts. */
export function createTree(entries: Iterable<TreeEntry>): Tree {
  const byPath = new Map<string, TreeEntry>();
  for (const entry of entries) byPath.set(entry.path, entry);
  const tree = new Map<string, TreeEntry>();
  for (const path of sortPaths([...byPath.keys()])) {
    const entry = byPath.get(path);
    if (entry !== undefined) tree.set(path, entry);
  }
  return tree;
}

/** Returns whether both have the same content, mode and type, wherever they are stored. */
export function sameEntry(a: TreeEntry, b: TreeEntry): boolean {
  const isSameKind = a.type === b.type && a.mode === b.mode;
  return isSameKind && a.sizeBytes === b.sizeBytes && a.sha256 === b.sha256 && a.target === b.target;
}

/** Returns the directory that contains `path`: `a/b` for `a/b/c`. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

export function isTreeRoot(path: string): boolean {
  return path === "workspace" || path === "state";
}

/**
 * Returns a negative number if `a` comes first in the byte order of UTF-8, which differs from that of strings at
 * surrogates.
 */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return utf8Rank(x) - utf8Rank(y);
  }
  return a.length - b.length;
}

/** Sorts the array itself, in byte order, and returns it. */
export function sortPaths(paths: string[]): string[] {
  return paths.some((path) => /[\ud800-\uffff]/.test(path)) ? paths.sort(comparePaths) : paths.sort();
}

// Returns the rank of a UTF-16 unit in the byte order of UTF-8. Surrogates encode code points above U+FFFF, so they
// come after U+E000 to U+FFFF.
function utf8Rank(unit: number): number {
  if (unit >= 0xe000) return unit - 0x800;
  return unit >= 0xd800 ? unit + 0x2000 : unit;
}
