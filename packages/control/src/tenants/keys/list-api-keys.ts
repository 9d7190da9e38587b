// Lists an organization's keys, without their secrets.

import type { ApiKeyRecord } from "@dari/contract";
import { renderPage, type Actor, type Control, type PageOf } from "@dari/control/context";
import { apiKeys, type Page } from "@dari/db";
import { renderApiKey } from "../views/organization.ts";

export async function listApiKeys(control: Control, actor: Actor, page: Page): Promise<PageOf<ApiKeyRecord>> {
  return renderPage(await apiKeys.listApiKeys(control.db, actor.organizationId, page), renderApiKey);
}
