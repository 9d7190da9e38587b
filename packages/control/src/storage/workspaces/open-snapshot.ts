// Restores one snapshot of a session to a directory, or the newest intact one before it.

import type { BlobStore } from "@dari/blobs";
import type { LoadedTree, SnapshotTrees } from "@dari/control/context";
import type { Turn, TurnPart } from "@dari/control/turns";
import { snapshots, type Database, type PlacedAttachment } from "@dari/db";
import { SnapshotDamagedError, type Disk, type Disks, type Tree, type WorkspaceLimits } from "@dari/workspace";

export interface WorkspaceContext {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly trees: SnapshotTrees;
  readonly disks: Disks;
  /** The host user of an organization's sandboxes, who owns its workspaces (default: this process's user). */
  readonly hostUserOf?: ((organizationId: string) => number) | undefined;
}

export interface OpenedWorkspace {
  /** Contains `workspace/` and `state/`. */
  readonly dir: string;
  /** The caller must keep or close it. */
  readonly disk: Disk;
  readonly head: LoadedTree;
  /** Set if the head was damaged: the older snapshot that was restored instead. */
  readonly restoredFrom: string | undefined;
  /** The tree at the start of the message's first attempt. Differences from it are the message's changes. */
  readonly baseline: Tree;
  /** The uploads in the baseline. */
  readonly placed: readonly PlacedAttachment[];
  /** The message's parts, if a file had to be renamed because the agent had written one of that name. */
  readonly parts: readonly TurnPart[];
}

/** How far back an intact snapshot is searched. */
const ancestorsMax = 1_000;

/** Returns the newest of the head's ancestors for which `use` finds no damage, with the result of `use`. */
export async function findIntactAncestor<T>(
  { db }: Pick<WorkspaceContext, "db">,
  { organizationId, headSnapshotId }: Pick<Turn, "organizationId" | "headSnapshotId">,
  use: (snapshotId: string) => Promise<T>,
  most = ancestorsMax,
): Promise<{ readonly id: string; readonly found: T } | undefined> {
  for (const id of await snapshots.listAncestors(db, organizationId, headSnapshotId ?? "", most)) {
    try {
      return { id, found: await use(id) };
    } catch (error) {
      if (!(error instanceof SnapshotDamagedError)) throw error;
    }
  }
  return undefined;
}

/** @throws SnapshotDamagedError */
export async function openSnapshot(
  { blobs, trees, disks, hostUserOf }: WorkspaceContext,
  { organizationId }: Turn,
  snapshotId: string | null,
  dir: string,
  limits: WorkspaceLimits,
): Promise<{ disk: Disk; head: LoadedTree }> {
  const head = await trees.load(organizationId, snapshotId);
  const owner = hostUserOf?.(organizationId);
  return { disk: await disks.open({ store: blobs, organizationId, tree: head.tree, dir, owner, limits }), head };
}
