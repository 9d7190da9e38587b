// Reads an organization for whoever created it.

import type { OrganizationRecord } from "@dari/contract";
import { organizations } from "@dari/db";
import type { Actor, Control } from "../context.ts";
import { found } from "../refusals.ts";
import { renderOrganization } from "../views/organization.ts";

/**
 * Not scoped by the caller's organization: `organizationId` comes from the caller's own creation, never from a request.
 * @throws AppError `not_found`
 */
export async function getCreatedOrganization(
  control: Control,
  actor: Actor,
  organizationId: string,
): Promise<OrganizationRecord> {
  const row = await organizations.findOrganization(control.db, organizationId);
  return renderOrganization(found(row, "organization"), actor);
}
