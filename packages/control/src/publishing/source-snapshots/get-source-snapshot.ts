// Reads a reserved bundle and its upload URL.

import type { SourceSnapshotCreated } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { sourceSnapshots } from "@dari/db";
import { requireFound } from "@dari/domain";
import { renderReservation } from "./create-source-snapshot.ts";

/** The upload URL is the original one. @throws AppError `not_found` */
export async function getSourceSnapshot(
  control: Control,
  actor: Actor,
  snapshotId: string,
): Promise<SourceSnapshotCreated> {
  const row = await sourceSnapshots.findSourceSnapshot(control.db, actor.organizationId, snapshotId);
  return renderReservation(control, actor, requireFound(row, "source snapshot"));
}
