// Stores what a turn changed as one object. No row refers to it before the turn's finish commits.

import type { Turn } from "@dari/control/turns";
import type { TurnSnapshot } from "@dari/db";
import { newId, type Log } from "@dari/domain";
import { diff, folderOf, treeHash, type Tree } from "@dari/workspace";
import { listClientChanges, type FileChange } from "./list-client-changes.ts";
import type { OpenedWorkspace, WorkspaceContext } from "./open-snapshot.ts";
import { storeSnapshot } from "./store-snapshot.ts";

export interface SavedWorkspace {
  readonly snapshot: TurnSnapshot;
  readonly filesChanged: readonly FileChange[];
  readonly tree: Tree;
  /** Not in the snapshot: sockets, devices, names that are not UTF-8. */
  readonly ignored: readonly { readonly path: string; readonly reason: string }[];
}

/**
 * The number of snapshots after which a save writes a full manifest, which bounds the cost of reading a head. It is far
 * above what the background squash leaves, so a turn pays for it only if the squash does not run.
 */
export const chainLengthMax = 64;

/**
 * The sandbox must be dead. Waits for an unavailable database until `signal` aborts, because the turn has done its
 * work.
 * @throws WorkspaceLimitError, WorkspaceChangedError.
 */
export async function saveWorkspace(
  context: WorkspaceContext & { readonly log: Log },
  turn: Turn,
  opened: OpenedWorkspace,
  signal?: AbortSignal,
): Promise<SavedWorkspace> {
  const { head, baseline, restoredFrom } = opened;
  const after = await opened.disk.scan();
  const changedSinceHead = diff(head.tree, after.tree).length > 0;
  const depth = turn.headSnapshotId === null ? chainLengthMax : head.deltaDepth + 1;
  // Nothing is built on a damaged head.
  const full = depth >= chainLengthMax || restoredFrom !== undefined;
  const base = {
    id: newId("snapshot"),
    parentId: turn.headSnapshotId,
    isFull: full,
    deltaDepth: full ? 0 : depth,
  };
  const filesChanged = listClientChanges(diff(baseline, after.tree));
  if (!changedSinceHead && (!full || (head.tree.size === 0 && restoredFrom === undefined))) {
    const { files, bytes } = folderOf(head.tree);
    const counts = { files, totalBytes: bytes, treeHash: treeHash(head.tree) };
    return {
      snapshot: { ...base, objectKey: null, sizeBytes: 0, ...counts },
      filesChanged,
      tree: head.tree,
      ignored: after.ignored,
    };
  }
  const change = { dir: opened.dir, before: head.tree, after: after.tree, full };
  const saved = await storeSnapshot(context, turn.organizationId, change, { log: context.log, signal });
  return {
    snapshot: {
      ...base,
      objectKey: saved.objectKey,
      sizeBytes: saved.sizeBytes,
      treeHash: saved.treeHash,
      files: saved.files,
      totalBytes: saved.totalBytes,
    },
    filesChanged,
    tree: saved.tree,
    ignored: after.ignored,
  };
}
