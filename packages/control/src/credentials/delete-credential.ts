// Deletes a secret. Turns that start from now on and name it fail with `missing_secret`.

import type { Deleted } from "@dari/contract";
import { credentials } from "@dari/db";
import type { Actor, Control } from "../context.ts";
import { found } from "../refusals.ts";

/** @throws AppError `not_found` */
export async function deleteCredential(control: Control, actor: Actor, name: string): Promise<Deleted> {
  const id = await credentials.deleteCredential(control.db, actor.organizationId, name);
  return { deleted: true, id: found(id, "credential") };
}
