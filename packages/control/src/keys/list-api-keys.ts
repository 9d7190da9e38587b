// Lists an organization's keys, without their secrets.

import type { ApiKeyRecord } from "@dari/contract";
import { apiKeys, type Page } from "@dari/db";
import type { Actor, Control } from "../context.ts";
import { renderPage, type PageOf } from "../page.ts";
import { renderApiKey } from "../views/organization.ts";

export async function listApiKeys(control: Control, actor: Actor, page: Page): Promise<PageOf<ApiKeyRecord>> {
  return renderPage(await apiKeys.listApiKeys(control.db, actor.organizationId, page), renderApiKey);
}
