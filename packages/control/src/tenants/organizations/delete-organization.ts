// Deletes an organization: its keys at once, its turns within a minute, its data later.

import type { Deleted } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { organizations } from "@dari/db";
import { AppError, notFound } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";

/** Deletes an organization, for operators. The audit log stays. @throws AppError `not_found`, `conflict` */
export async function deleteOrganization(control: Control, actor: Actor, organizationId: string): Promise<Deleted> {
  await withAuditEntry(
    control,
    actor,
    async (inside) => {
      const outcome = await organizations.deleteOrganizationIfTenant(inside.db, organizationId);
      if (outcome === "missing") throw notFound("organization");
      if (outcome === "operator") throw new AppError("conflict", "an operator's organization cannot be deleted");
    },
    () => ({ action: "organization.delete", target: organizationId, organizationId }),
  );
  return { deleted: true, id: organizationId };
}
