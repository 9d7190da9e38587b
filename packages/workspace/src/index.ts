// Saves a session's directory as a snapshot and restores it. Accesses storage only as a BlobStore.

export { checkSnapshotObject } from "./check-object.ts";
export { findClientPath, listDirectory, resolvePath, treePathOf } from "./client-paths.ts";
export { diff, type Change } from "./diff.ts";
export type { Disk, Disks, UnusedSquashfs } from "./disk.ts";
export { openDisks } from "./disks.ts";
export { addFileToTree, removePathFromTree } from "./edit-tree.ts";
export { SnapshotDamagedError, WorkspaceLimitError, WorkspaceUnreadableError } from "./errors.ts";
export { editTree, folderOf } from "./folder.ts";
export { lendFiles, removeLentFiles, type LentFile, type LentFiles } from "./lent-files.ts";
export { loadTree, readReferences, type SnapshotRef } from "./load-tree.ts";
export { sweepMounts, sweepMountsAtExit } from "./mounts.ts";
export { readFile } from "./read-file.ts";
export { pathProblem, treeProblem } from "./path-rules.ts";
export { restore } from "./restore.ts";
export { rewriteSnapshot } from "./rewrite-snapshot.ts";
export { save, type Saved, type SaveOptions } from "./save.ts";
export { scan, type Scan } from "./scan.ts";
export { emptyTree, createTree, type Tree, type TreeEntry } from "./tree.ts";
export { treeHash } from "./tree-hash.ts";
export { defaultWorkspaceLimits, type WorkspaceLimits } from "./workspace-limits.ts";
