// Where a message goes on after one of its attempts was suspended: at what that attempt left behind, while all that the
// message changes still counts from the session's head.

import { turns, type PlacedUpload, type TurnResume } from "@dari/db";
import {
  editTree,
  SnapshotDamagedError,
  type Disk,
  type Tree,
  type TreeEntry,
  type WorkspaceLimits,
} from "@dari/workspace";
import type { Turn } from "../turns/load-turn.ts";
import { openSnapshot, type OpenedWorkspace, type WorkspaceContext } from "./open-workspace.ts";
import { partsAt } from "./place-input.ts";
import { chainLengthMax } from "./save-workspace.ts";

const directoryMode = 0o755;
const uploadMode = 0o644;

/**
 * Undefined when it was not suspended, or when what it left is damaged or missing: then it begins anew at the session's
 * head, which the session's ledger says.
 */
export async function openSuspended(
  context: WorkspaceContext,
  turn: Turn,
  dir: string,
  limits: WorkspaceLimits,
): Promise<OpenedWorkspace | undefined> {
  const { resume } = turn;
  if (resume === undefined) return undefined;
  let disk: Disk | undefined;
  try {
    const left = await openSnapshot(context, turn, resume.snapshotId, dir, limits);
    disk = left.disk;
    const head = await context.trees.load(turn.organizationId, turn.headSnapshotId);
    const { placed } = resume;
    const baseline = withUploads(head.tree, placed);
    // Stored whole: maybe because the attempt has found the head damaged. Then nothing can be built on it.
    const isApart = turn.headSnapshotId !== null && left.head.deltaDepth === 0;
    const base = isApart ? { tree: left.head.tree, deltaDepth: chainLengthMax } : head;
    const parts = partsAt(turn.parts, placed);
    return { dir, disk, head: base, restoredFrom: undefined, baseline, placed, parts };
  } catch (error) {
    await disk?.close();
    if (!(error instanceof SnapshotDamagedError)) throw error;
    await noteDamage(context, turn, resume, error);
    return undefined;
  }
}

async function noteDamage(
  context: WorkspaceContext,
  turn: Turn,
  resume: TurnResume,
  damage: SnapshotDamagedError,
): Promise<void> {
  const data = {
    snapshot_id: turn.headSnapshotId,
    damaged_snapshot_id: resume.snapshotId,
    reason: damage.message,
  };
  await turns.appendEventIfHeld(context.db, turn, "workspace.restored_from_older", data);
}

/** The head's tree as the message's first attempt found it. */
function withUploads(tree: Tree, placed: readonly PlacedUpload[]): Tree {
  if (placed.length === 0) return tree;
  const added = new Map<string, TreeEntry>();
  for (const { path, sizeBytes, sha256 } of placed) {
    const folder = path.slice(0, path.lastIndexOf("/"));
    if (!tree.has(folder)) {
      added.set(folder, { path: folder, type: "directory", mode: directoryMode, sizeBytes: 0 });
    }
    added.set(path, { path, type: "file", mode: uploadMode, sizeBytes, sha256 });
  }
  return editTree(
    tree,
    [...added].map(([path, entry]) => ({ path, entry })),
  );
}
