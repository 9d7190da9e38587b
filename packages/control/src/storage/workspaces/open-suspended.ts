// Restores the side snapshot of a suspended attempt. The message's changes are still counted from the session's head.

import type { EventData } from "@dari/contract";
import type { LoadedTree } from "@dari/control/context";
import type { Turn } from "@dari/control/turns";
import { turns, type PlacedAttachment } from "@dari/db";
import {
  editTree,
  SnapshotDamagedError,
  type Disk,
  type Tree,
  type TreeEntry,
  type WorkspaceLimits,
} from "@dari/workspace";
import { findIntactAncestor, openSnapshot, type OpenedWorkspace, type WorkspaceContext } from "./open-snapshot.ts";
import { withPlacedPaths, uploadFolderMode, uploadMode } from "./place-attachment.ts";
import { chainLengthMax } from "./save-workspace.ts";

export type OpenedSuspended =
  | { readonly kind: "opened"; readonly workspace: OpenedWorkspace }
  /** Its side snapshot, or an object of it, is damaged or missing: the message starts again at the session's head. */
  | { readonly kind: "damaged"; readonly snapshotId: string; readonly damage: SnapshotDamagedError }
  | { readonly kind: "none" };

/**
 * `none`: the message was not suspended. A damaged head does not prevent the restore of an independent side snapshot.
 */
export async function openSuspended(
  context: WorkspaceContext,
  turn: Turn,
  dir: string,
  limits: WorkspaceLimits,
): Promise<OpenedSuspended> {
  const { resume } = turn;
  if (resume === undefined) return { kind: "none" };
  let disk: Disk | undefined;
  try {
    const left = await openSnapshot(context, turn, resume.snapshotId, dir, limits);
    disk = left.disk;
    const { head, isDamaged } = await loadHead(context, turn, left.head);
    const { placed } = resume;
    const baseline = withUploads(head.tree, placed);
    // A full snapshot may have been stored because the attempt found the head damaged. Then nothing can be built on the
    // head.
    const isApart = isDamaged || (turn.headSnapshotId !== null && left.head.deltaDepth === 0);
    const base = isApart ? { tree: left.head.tree, deltaDepth: chainLengthMax } : head;
    const parts = withPlacedPaths(turn.parts, placed);
    const workspace = { dir, disk, head: base, restoredFrom: undefined, baseline, placed, parts };
    return { kind: "opened", workspace };
  } catch (error) {
    await disk?.close();
    if (!(error instanceof SnapshotDamagedError)) throw error;
    return { kind: "damaged", snapshotId: resume.snapshotId, damage: error };
  }
}

/**
 * Returns the tree from which the message's changes are counted: the head or, if that is damaged, the newest intact
 * snapshot before it, where the first attempt started. Without one, only changes after the suspension count.
 */
async function loadHead(
  context: WorkspaceContext,
  turn: Turn,
  left: LoadedTree,
): Promise<{ readonly head: LoadedTree; readonly isDamaged: boolean }> {
  const load = (id: string | null): Promise<LoadedTree> => context.trees.load(turn.organizationId, id);
  try {
    return { head: await load(turn.headSnapshotId), isDamaged: false };
  } catch (error) {
    if (!(error instanceof SnapshotDamagedError)) throw error;
    const older = await findIntactAncestor(context, turn, load);
    return { head: older?.found ?? left, isDamaged: true };
  }
}

/** Records an event: the message starts again at the head. */
export async function recordLostSuspension(
  context: WorkspaceContext,
  turn: Turn,
  { snapshotId, damage }: Extract<OpenedSuspended, { kind: "damaged" }>,
): Promise<void> {
  const data: EventData["workspace.restored_from_older"] = {
    snapshot_id: turn.headSnapshotId,
    damaged_snapshot_id: snapshotId,
    reason: damage.message,
  };
  await turns.appendEventsIfHeld(context.db, turn, [{ type: "workspace.restored_from_older", data }]);
}

/** Returns the head's tree with the uploads, as the message's first attempt started with it. */
function withUploads(tree: Tree, placed: readonly PlacedAttachment[]): Tree {
  if (placed.length === 0) return tree;
  const added = new Map<string, TreeEntry>();
  for (const { path, sizeBytes, sha256 } of placed) {
    const folder = path.slice(0, path.lastIndexOf("/"));
    if (!tree.has(folder)) {
      added.set(folder, { path: folder, type: "directory", mode: uploadFolderMode, sizeBytes: 0 });
    }
    added.set(path, { path, type: "file", mode: uploadMode, sizeBytes, sha256 });
  }
  return editTree(
    tree,
    [...added].map(([path, entry]) => ({ path, entry })),
  );
}
