// Lists the organizations that a caller can reach: its own, and those that its key has created.

import type { OrganizationRecord } from "@dari/contract";
import { renderPage, type Actor, type Control, type PageOf } from "@dari/control/context";
import { organizations, type Page } from "@dari/db";
import { isId } from "@dari/domain";
import { renderOrganization } from "../views/organization.ts";

/** Returns the caller's own organization first. @throws AppError `invalid` for an unknown cursor. */
export async function listOrganizations(
  control: Control,
  actor: Actor,
  page: Page,
): Promise<PageOf<OrganizationRecord>> {
  const listed = await organizations.listOrganizationsOf(control.db, actor, page);
  return renderPage(listed, (row) => renderOrganization(row, actor));
}

/** Returns whether the calling key created the organization, and the organization has not removed that access since. */
export async function hasCreatedOrganization(control: Control, actor: Actor, organizationId: string): Promise<boolean> {
  if (!isId("organization", organizationId)) return false;
  return organizations.isCreator(control.db, actor.keyId, organizationId);
}
