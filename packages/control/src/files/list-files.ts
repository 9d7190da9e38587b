// Lists an organization's uploaded files.

import type { FileRecord } from "@dari/contract";
import { files, type Page } from "@dari/db";
import type { Actor, Control } from "../context.ts";
import { renderPage, type PageOf } from "../page.ts";
import { renderFile } from "../views/organization.ts";

export async function listFiles(control: Control, actor: Actor, page: Page): Promise<PageOf<FileRecord>> {
  return renderPage(await files.listFiles(control.db, actor.organizationId, page), renderFile);
}
