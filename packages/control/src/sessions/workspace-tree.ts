// The tree of a session's head, for listing and reading its files.

import { snapshots } from "@dari/db";
import { AppError } from "@dari/domain";
import type { Tree } from "@dari/workspace";
import type { Actor, Control } from "../context.ts";

/** @throws AppError `not_found` for an unknown session. */
export async function loadSessionTree(
  control: Control,
  actor: Actor,
  sessionId: string,
): Promise<{ tree: Tree; snapshotId: string | null }> {
  const snapshotId = await snapshots.findHeadSnapshotId(control.db, actor.organizationId, sessionId);
  if (snapshotId === undefined) throw new AppError("not_found", `there is no session ${sessionId}`);
  const { tree } = await control.trees.load(actor.organizationId, snapshotId);
  return { tree, snapshotId };
}
