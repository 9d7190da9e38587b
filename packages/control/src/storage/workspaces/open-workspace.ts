// Brings a session's last committed workspace into a directory, with the files of its messages placed.

import type { BlobStore } from "@dari/blobs";
import type { LoadedTree, Trees } from "@dari/control/context";
import type { Turn, TurnPart } from "@dari/control/turns";
import { snapshots, turns, type Database, type PlacedUpload } from "@dari/db";
import {
  SnapshotDamagedError,
  type DirectoryContentCache,
  type Disk,
  type Disks,
  type Tree,
  type WorkspaceLimits,
} from "@dari/workspace";
import { noteLostSuspension, openSuspended } from "./open-suspended.ts";
import { partsAt, placeInput } from "./place-input.ts";
import { workspaceLimitsWithin } from "./workspace-limits.ts";

export interface WorkspaceContext {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly trees: Trees;
  readonly disks: Disks;
  readonly contents: DirectoryContentCache | undefined;
  /** The host user of an organization's sandboxes, to whom its workspaces belong; absent: this process's user. */
  readonly hostUserOf?: ((organizationId: string) => number) | undefined;
}

export interface OpenedWorkspace {
  /** Holds `workspace/` and `state/`. */
  readonly dir: string;
  /** Kept or closed in the end, in any case. */
  readonly disk: Disk;
  readonly head: LoadedTree;
  /** The head was damaged, and this older snapshot of the session is what was restored. */
  readonly restoredFrom: string | undefined;
  /** As the message's first attempt found it: what differs from this was changed by the message. */
  readonly baseline: Tree;
  /** The uploads in it. */
  readonly placed: readonly PlacedUpload[];
  /** The message's parts, where a file had to take another name because the agent had written one of that name. */
  readonly parts: readonly TurnPart[];
}

/** How far back an intact snapshot is looked for. */
const ancestorsMax = 1_000;

/**
 * Placed files are in the baseline, so that they never count as changed by the turn. Where the head is damaged or
 * missing in the store, the newest intact snapshot is taken and the session's ledger says so. A message that was
 * suspended goes on at what it left.
 * @throws SnapshotDamagedError when no snapshot of the session is intact.
 */
export async function openWorkspace(context: WorkspaceContext, turn: Turn, dir: string): Promise<OpenedWorkspace> {
  const limits = workspaceLimitsWithin(turn.workspaceBounds);
  const suspended = await openSuspended(context, turn, dir, limits);
  if (suspended.kind === "opened") return suspended.workspace;
  const opened = await openHead(context, turn, dir, limits);
  try {
    // A damaged head is what the message was built on, and is named by now.
    if (suspended.kind === "damaged" && opened.restoredFrom === undefined) {
      await noteLostSuspension(context, turn, suspended.damage);
    }
    const placed: PlacedUpload[] = [];
    for (const input of turn.inputs) {
      const path = await placeInput(context.blobs, dir, input, context.hostUserOf?.(turn.organizationId));
      const isMoved = path !== input.path && input.messageId === turn.messageId;
      const { sizeBytes, sha256 } = input;
      placed.push({ path: `workspace${path}`, sizeBytes, sha256, ...(isMoved ? { sentAs: input.path } : {}) });
    }
    const baseline = turn.inputs.length === 0 ? opened.head.tree : (await opened.disk.scan()).tree;
    return { dir, ...opened, baseline, placed, parts: partsAt(turn.parts, placed) };
  } catch (error) {
    await opened.disk.close();
    throw error;
  }
}

type OpenedHead = Pick<OpenedWorkspace, "disk" | "head" | "restoredFrom">;

async function openHead(
  context: WorkspaceContext,
  turn: Turn,
  dir: string,
  limits: WorkspaceLimits,
): Promise<OpenedHead> {
  try {
    return { ...(await openSnapshot(context, turn, turn.headSnapshotId, dir, limits)), restoredFrom: undefined };
  } catch (error) {
    if (!(error instanceof SnapshotDamagedError) || turn.headSnapshotId === null) throw error;
    return await openOlder(context, turn, dir, limits, error);
  }
}

async function openOlder(
  context: WorkspaceContext,
  turn: Turn,
  dir: string,
  limits: WorkspaceLimits,
  damage: SnapshotDamagedError,
): Promise<OpenedHead> {
  const older = await findIntactAncestor(context, turn, (id) => openSnapshot(context, turn, id, dir, limits));
  if (older === undefined) throw damage;
  const { id, found } = older;
  const data = { snapshot_id: id, damaged_snapshot_id: turn.headSnapshotId, reason: damage.message };
  await turns.appendEventIfHeld(context.db, turn, "workspace.restored_from_older", data);
  return { ...found, restoredFrom: id };
}

/** Returns the newest of the head's ancestors with which `use` does not find damage, and what it found there. */
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
  { blobs, trees, disks, contents, hostUserOf }: WorkspaceContext,
  { organizationId }: Turn,
  snapshotId: string | null,
  dir: string,
  limits: WorkspaceLimits,
): Promise<{ disk: Disk; head: LoadedTree }> {
  const head = await trees.load(organizationId, snapshotId);
  // Overlays keep contents themselves.
  const cache = disks.kind === "copy" ? contents?.forOrganization(organizationId) : undefined;
  const owner = hostUserOf?.(organizationId);
  const options = { store: blobs, organizationId, tree: head.tree, dir, owner, limits };
  return { disk: await disks.open(cache === undefined ? options : { ...options, cache }), head };
}
