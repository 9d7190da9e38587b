// Deletes an uploaded file for its clients. Messages that refer to it still get it, so its bytes stay.

import type { Deleted } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { files } from "@dari/db";
import { notFound } from "@dari/domain";

/** @throws AppError `not_found` */
export async function deleteFile(control: Control, actor: Actor, fileId: string): Promise<Deleted> {
  const deleted = await files.softDeleteFileIfLive(control.db, actor.organizationId, fileId);
  if (!deleted) throw notFound("file");
  return { deleted: true, id: fileId };
}
