// A session directory to a snapshot and back. Knows storage only as a BlobStore, and nothing of sessions or turns.

export {
  findClientPath,
  listDirectory,
  resolvePath,
  treePathOf,
  type ListedEntry,
  type Resolved,
} from "./client-paths.ts";
export { openContentCache, type ContentCache, type DirectoryContentCache } from "./content-cache.ts";
export { diff, type Change } from "./diff.ts";
export { withFile, withoutPath } from "./edit-tree.ts";
export {
  SnapshotDamagedError,
  WorkspaceChangedError,
  WorkspaceLimitError,
  WorkspaceUnreadableError,
  type WorkspaceLimit,
} from "./errors.ts";
export { loadTree, type SnapshotRef } from "./load-tree.ts";
export { readFile } from "./read-file.ts";
export { restore, type Restored, type RestoreOptions } from "./restore.ts";
export { save, type Saved, type SaveOptions } from "./save.ts";
export { scan, type Scan, type ScanOptions } from "./scan.ts";
export { emptyTree, treeOf, type ChunkLocation, type Frame, type Tree, type TreeEntry } from "./tree.ts";
export { treeHash } from "./tree-hash.ts";
export { type Ignored } from "./walk.ts";
export { defaultWorkspaceLimits, type WorkspaceLimits } from "./workspace-limits.ts";
