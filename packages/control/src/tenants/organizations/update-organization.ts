// Sets an organization's limits for turns and storage. For operators only: no organization can raise its own limits.

import type { OrganizationRecord, UpdateOrganizationRequest } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { organizations } from "@dari/db";
import { requireFound } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";
import { renderLimits, renderOrganization } from "../views/organization.ts";

/**
 * Absent fields stay unchanged. Takes effect with the next dispatch, and within a second for accepted messages.
 * @throws AppError `not_found`
 */
export async function updateOrganization(
  control: Control,
  actor: Actor,
  organizationId: string,
  request: UpdateOrganizationRequest,
): Promise<OrganizationRecord> {
  const { after } = await withAuditEntry(
    control,
    actor,
    async (inside) => {
      const updated = await organizations.updateOrganizationLimits(inside.db, organizationId, request);
      return requireFound(updated, "organization");
    },
    (updated) => ({
      action: "organization.update",
      target: organizationId,
      organizationId,
      details: { before: renderLimits(updated.before), after: renderLimits(updated.after) },
    }),
  );
  // The organization may now be allowed to run more.
  control.notifier.notify("ready", organizationId);
  return renderOrganization(after, actor);
}
