// Lists the names of an organization's secrets, never their values.

import type { CredentialRecord } from "@dari/contract";
import { renderPage, type Actor, type Control, type PageOf } from "@dari/control/context";
import { credentials, type Page } from "@dari/db";
import { renderCredential } from "../views/organization.ts";

export async function listCredentials(control: Control, actor: Actor, page: Page): Promise<PageOf<CredentialRecord>> {
  return renderPage(await credentials.listCredentials(control.db, actor.organizationId, page), renderCredential);
}
