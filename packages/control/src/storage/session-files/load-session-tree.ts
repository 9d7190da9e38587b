// The tree of a session's head, for listing and reading its files.

import type { Actor, Control, LoadedTree } from "@dari/control/context";
import { snapshots } from "@dari/db";
import { AppError } from "@dari/domain";
import { SnapshotDamagedError, type Tree } from "@dari/workspace";
import { findIntactAncestor } from "../workspaces/open-snapshot.ts";

export interface SessionTree {
  readonly tree: Tree;
  readonly snapshotId: string | null;
  /** Set if the head's list of files is damaged: the older snapshot that was read instead. */
  readonly restoredFrom: string | undefined;
}

/** How far back a read searches for an intact snapshot. A turn searches further. */
const ancestorsMax = 64;

/**
 * Returns the head's files. If the head's list of files is damaged or missing, returns those of the newest earlier
 * snapshot with an intact list, as the session's next turn does.
 *
 * @throws AppError `not_found` for an unknown session; SnapshotDamagedError if none is intact.
 */
export async function loadSessionTree(control: Control, actor: Actor, sessionId: string): Promise<SessionTree> {
  const { organizationId } = actor;
  const headSnapshotId = await findHead(control, actor, sessionId);
  try {
    const { tree } = await control.trees.load(organizationId, headSnapshotId);
    return { tree, snapshotId: headSnapshotId, restoredFrom: undefined };
  } catch (error) {
    if (!(error instanceof SnapshotDamagedError)) throw error;
    const older = await findIntactAncestor(
      control,
      { organizationId, headSnapshotId },
      (id) => control.trees.load(organizationId, id),
      ancestorsMax,
    );
    if (older === undefined) throw error;
    return { tree: older.found.tree, snapshotId: older.id, restoredFrom: older.id };
  }
}

/**
 * Returns the head for a write.
 *
 * @throws AppError `not_found` for an unknown session; SnapshotDamagedError, because nothing is built on a damaged
 *   head.
 */
export async function loadSessionHead(
  control: Control,
  actor: Actor,
  sessionId: string,
): Promise<LoadedTree & { snapshotId: string | null }> {
  const snapshotId = await findHead(control, actor, sessionId);
  return { ...(await control.trees.load(actor.organizationId, snapshotId)), snapshotId };
}

async function findHead(control: Control, actor: Actor, sessionId: string): Promise<string | null> {
  const snapshotId = await snapshots.findHeadSnapshotId(control.db, actor.organizationId, sessionId);
  if (snapshotId === undefined) throw new AppError("not_found", `session ${sessionId} not found`);
  return snapshotId;
}
