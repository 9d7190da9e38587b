// Lists the people of an organization.

import type { MemberRecord } from "@dari/contract";
import { renderPage, type Control, type PageOf } from "@dari/control/context";
import { members, type Page } from "@dari/db";
import { renderMember } from "../views/organization.ts";

/** `organizationId`: one that the caller may read. @throws AppError `invalid` for a cursor of another list. */
export async function listMembers(control: Control, organizationId: string, page: Page): Promise<PageOf<MemberRecord>> {
  return renderPage(await members.listMembers(control.db, organizationId, page), renderMember);
}
