// Reads an organization with its limits.

import type { OrganizationRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { organizations } from "@dari/db";
import { requireFound } from "@dari/domain";
import { renderOrganization } from "../views/organization.ts";

/**
 * `organizationId`: the caller's own, one that its key has created, or any if the caller is an operator.
 * @throws AppError `not_found`
 */
export async function getOrganization(
  control: Control,
  actor: Actor,
  organizationId: string,
): Promise<OrganizationRecord> {
  const row = await organizations.findOrganization(control.db, organizationId);
  return renderOrganization(requireFound(row, "organization"), actor);
}
