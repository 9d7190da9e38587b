// Saves a session's directory as a snapshot and restores it. Accesses storage only as a BlobStore.

export { checkSnapshotObject } from "./snapshot/check-object.ts";
export { findClientPath, listDirectory, resolvePath, treePathOf } from "./tree/client-paths.ts";
export { diff, type Change } from "./tree/diff-trees.ts";
export type { Disk, Disks, UnusedSquashfs } from "./disks/disk.ts";
export { openDisks } from "./disks/open-disks.ts";
export { addFileToTree, removePathFromTree } from "./tree/edit-tree.ts";
export { SnapshotDamagedError, WorkspaceLimitError, WorkspaceUnreadableError } from "./errors.ts";
export { editTree, folderOf } from "./tree/folder.ts";
export { lendFiles, removeLentFiles, type LentFile, type LentFiles } from "./directory/lent-files.ts";
export { loadTree, type SnapshotRef } from "./snapshot/load-tree.ts";
export { sweepMounts, sweepMountsAtExit } from "./disks/overlay/mounts.ts";
export { readFile } from "./snapshot/read-file.ts";
export { pathProblem, treeProblem } from "./tree/path-rules.ts";
export { restore } from "./restore/restore-tree.ts";
export { rewriteSnapshot } from "./save/rewrite-snapshot.ts";
export { save, type Saved, type SaveOptions } from "./save/save-changes.ts";
export { scan, type Scan } from "./directory/scan-directory.ts";
export { emptyTree, createTree, type Tree, type TreeEntry } from "./tree/tree.ts";
export { treeHash } from "./tree/tree-hash.ts";
export { defaultWorkspaceLimits, type WorkspaceLimits } from "./tree/workspace-limits.ts";
