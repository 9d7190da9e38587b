// The tree of a session's head, for listing and reading its files.

import type { Actor, Control, LoadedTree } from "@dari/control/context";
import { snapshots } from "@dari/db";
import { AppError } from "@dari/domain";
import { SnapshotDamagedError, type Tree } from "@dari/workspace";
import { findIntactAncestor } from "../workspaces/open-snapshot.ts";

export interface SessionTree {
  readonly tree: Tree;
  readonly snapshotId: string | null;
  /** The older snapshot that was read because the head's list of files is damaged. */
  readonly restoredFrom: string | undefined;
}

/** How far back a read looks for a whole snapshot; a turn looks further. */
const ancestorsMax = 64;

/**
 * Returns the head's files. Where the head's list of files is damaged or missing, returns those of the newest snapshot
 * before it whose list is whole, as the session's next turn does.
 *
 * @throws AppError `not_found` for an unknown session; SnapshotDamagedError where none is whole.
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
 * Returns the head as a write on it needs it.
 *
 * @throws AppError `not_found` for an unknown session; SnapshotDamagedError, for nothing is built on a damaged head.
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
