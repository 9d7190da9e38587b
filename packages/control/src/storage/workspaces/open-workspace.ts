// Restores a session's head to a directory and places the files of its message.

import type { EventData } from "@dari/contract";
import type { Turn } from "@dari/control/turns";
import { turns, type PlacedAttachment } from "@dari/db";
import { SnapshotDamagedError, type WorkspaceLimits } from "@dari/workspace";
import { findIntactAncestor, openSnapshot, type OpenedWorkspace, type WorkspaceContext } from "./open-snapshot.ts";
import { recordLostSuspension, openSuspended } from "./open-suspended.ts";
import { withPlacedPaths, placeAttachment } from "./place-attachment.ts";
import { capWorkspaceLimits } from "./workspace-limits.ts";

/**
 * Placed files are in the baseline, so they do not count as changed by the turn. If the head is damaged or missing,
 * restores the newest intact snapshot, and records an event. A suspended message continues from its side snapshot.
 * @throws SnapshotDamagedError if no snapshot of the session is intact.
 */
export async function openWorkspace(context: WorkspaceContext, turn: Turn, dir: string): Promise<OpenedWorkspace> {
  const limits = capWorkspaceLimits(turn.workspaceBounds);
  const suspended = await openSuspended(context, turn, dir, limits);
  if (suspended.kind === "opened") return suspended.workspace;
  const opened = await openHead(context, turn, dir, limits);
  try {
    // If the head is damaged, the event about it is recorded already.
    if (suspended.kind === "damaged" && opened.restoredFrom === undefined) {
      await recordLostSuspension(context, turn, suspended);
    }
    const placed: PlacedAttachment[] = [];
    for (const input of turn.attachments) {
      const path = await placeAttachment(context.blobs, dir, input, context.hostUserOf?.(turn.organizationId));
      const isMoved = path !== input.path && input.messageId === turn.messageId;
      const { sizeBytes, sha256 } = input;
      placed.push({ path: `workspace${path}`, sizeBytes, sha256, ...(isMoved ? { sentAs: input.path } : {}) });
    }
    const baseline = turn.attachments.length === 0 ? opened.head.tree : (await opened.disk.scan()).tree;
    return { dir, ...opened, baseline, placed, parts: withPlacedPaths(turn.parts, placed) };
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
  if (older === undefined || turn.headSnapshotId === null) throw damage;
  const { id, found } = older;
  const data: EventData["workspace.restored_from_older"] = {
    snapshot_id: id,
    damaged_snapshot_id: turn.headSnapshotId,
    reason: damage.message,
  };
  await turns.appendEventsIfHeld(context.db, turn, [{ type: "workspace.restored_from_older", data }]);
  return { ...found, restoredFrom: id };
}
