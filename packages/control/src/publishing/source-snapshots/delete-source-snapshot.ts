// Deletes a bundle that no version uses, and its bytes.

import type { Deleted } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { sourceSnapshots } from "@dari/db";
import { AppError, notFound } from "@dari/domain";

/** @throws AppError `not_found`, `conflict` if a version uses it. */
export async function deleteSourceSnapshot(control: Control, actor: Actor, sourceSnapshotId: string): Promise<Deleted> {
  const deletion = await sourceSnapshots.deleteSourceSnapshotIfUnused(
    control.db,
    actor.organizationId,
    sourceSnapshotId,
  );
  if (deletion.outcome === "missing") throw notFound("source snapshot");
  if (deletion.outcome === "used")
    throw new AppError("conflict", "a version uses this source snapshot; it cannot be deleted");
  await control.blobs.delete([deletion.objectKey]);
  return { deleted: true, id: sourceSnapshotId };
}
