// Deletes a secret. Turns that name it and start later fail with `missing_secret`.

import type { Deleted } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { credentials } from "@dari/db";
import { requireFound } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";

/** @throws AppError `not_found` */
export async function deleteCredential(control: Control, actor: Actor, name: string): Promise<Deleted> {
  const id = await withAuditEntry(
    control,
    actor,
    (inside) => credentials.deleteCredential(inside.db, actor.organizationId, name),
    (deleted) =>
      deleted === undefined ? undefined : { action: "credential.delete", target: deleted, details: { name } },
  );
  return { deleted: true, id: requireFound(id, "credential") };
}
