// The tree of a session's head, for listing and reading its files.

import { snapshots } from "@dari/db";
import { AppError } from "@dari/domain";
import type { Tree } from "@dari/workspace";
import type { Actor, Control } from "../context.ts";
import type { LoadedTree } from "../workspaces/trees.ts";

/** @throws AppError `not_found` for an unknown session. */
export async function loadSessionTree(
  control: Control,
  actor: Actor,
  sessionId: string,
): Promise<{ tree: Tree; snapshotId: string | null }> {
  return loadSessionHead(control, actor, sessionId);
}

/** As a write on it needs it. @throws AppError `not_found` for an unknown session. */
export async function loadSessionHead(
  control: Control,
  actor: Actor,
  sessionId: string,
): Promise<LoadedTree & { snapshotId: string | null }> {
  const snapshotId = await snapshots.findHeadSnapshotId(control.db, actor.organizationId, sessionId);
  if (snapshotId === undefined) throw new AppError("not_found", `there is no session ${sessionId}`);
  return { ...(await control.trees.load(actor.organizationId, snapshotId)), snapshotId };
}
