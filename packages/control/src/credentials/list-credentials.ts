// Lists the names of an organization's secrets, never their values.

import type { CredentialRecord } from "@dari/contract";
import { credentials, type Page } from "@dari/db";
import type { Actor, Control } from "../context.ts";
import { renderPage, type PageOf } from "../page.ts";
import { renderCredential } from "../views/organization.ts";

export async function listCredentials(control: Control, actor: Actor, page: Page): Promise<PageOf<CredentialRecord>> {
  return renderPage(await credentials.listCredentials(control.db, actor.organizationId, page), renderCredential);
}
