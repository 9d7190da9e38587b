// Lists the people of an organization.

import type { MemberRecord } from "@dari/contract";
import { members, type Page } from "@dari/db";
import type { Actor, Control } from "../context.ts";
import { renderPage, type PageOf } from "../refusals.ts";
import { renderMember } from "../views/organization.ts";

export async function listMembers(control: Control, actor: Actor, page: Page): Promise<PageOf<MemberRecord>> {
  return renderPage(await members.listMembers(control.db, actor.organizationId, page), renderMember);
}
