// What a turn changed, stored as one object. Nothing refers to it until the turn's finish commits.

import type { TurnSnapshot } from "@dari/db";
import { newId } from "@dari/domain";
import { diff, save, scan, treeHash, type Tree } from "@dari/workspace";
import type { Turn } from "../turns/load-turn.ts";
import type { OpenedWorkspace, WorkspaceContext } from "./open-workspace.ts";

export interface FileChange {
  /** Absolute, as clients name it. */
  readonly path: string;
  readonly change: "created" | "modified" | "deleted";
  readonly size_bytes: number | null;
}

export interface SavedWorkspace {
  readonly snapshot: TurnSnapshot;
  readonly filesChanged: readonly FileChange[];
  readonly tree: Tree;
  /** Left out of the snapshot: sockets, devices, names that are not UTF-8. */
  readonly ignored: readonly { readonly path: string; readonly reason: string }[];
}

/** Snapshots after which a chain begins anew with a full manifest, so that reading a head stays bounded. */
const chainLengthMax = 16;

/** The sandbox must be dead. @throws WorkspaceLimitError, WorkspaceChangedError. */
export async function saveWorkspace(
  context: WorkspaceContext,
  turn: Turn,
  opened: OpenedWorkspace,
): Promise<SavedWorkspace> {
  const after = await scan(opened.dir, { base: opened.baseline });
  const changedSinceHead = diff(opened.head.tree, after.tree).length > 0;
  const depth = turn.headSnapshotId === null ? chainLengthMax : opened.head.deltaDepth + 1;
  const full = depth >= chainLengthMax;
  const base = {
    id: newId("snapshot"),
    parentId: turn.headSnapshotId,
    isFull: full,
    deltaDepth: full ? 0 : depth,
  };
  const filesChanged = clientChanges(opened, after.tree);
  if (!changedSinceHead && !(full && opened.head.tree.size > 0)) {
    return {
      snapshot: { ...base, objectKey: null, sizeBytes: 0, treeHash: treeHash(after.tree), ...countsOf(after.tree) },
      filesChanged,
      tree: opened.head.tree,
      ignored: after.ignored,
    };
  }
  const saved = await save({
    store: context.blobs,
    keyPrefix: `${turn.organizationId}/snapshots`,
    dir: opened.dir,
    before: opened.head.tree,
    after: after.tree,
    full,
  });
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

/** Files and links below the workspace; directories and the hidden state are not listed. */
function clientChanges(opened: OpenedWorkspace, after: Tree): FileChange[] {
  return diff(opened.baseline.tree, after)
    .filter((change) => change.path.startsWith("workspace/") && change.type !== "directory")
    .map((change) => ({
      path: change.path.slice("workspace".length),
      change: change.change,
      size_bytes: change.change === "deleted" ? null : change.sizeBytes,
    }));
}

function countsOf(tree: Tree): { files: number; totalBytes: number } {
  let files = 0;
  let totalBytes = 0;
  for (const entry of tree.values()) {
    if (entry.type !== "file") continue;
    files += 1;
    totalBytes += entry.sizeBytes;
  }
  return { files, totalBytes };
}
