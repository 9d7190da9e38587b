// The organizations that a key belongs to: exactly one.

import type { OrganizationRecord } from "@dari/contract";
import { organizations } from "@dari/db";
import type { Actor, Control } from "../context.ts";
import { found } from "../refusals.ts";
import { renderOrganization } from "../views/organization.ts";

export async function listOrganizations(control: Control, actor: Actor): Promise<OrganizationRecord[]> {
  const row = await organizations.findOrganization(control.db, actor.organizationId);
  return [renderOrganization(found(row, "organization"), actor)];
}
