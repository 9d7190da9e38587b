// Lists an organization's uploaded files.

import type { FileRecord } from "@dari/contract";
import { renderPage, type Actor, type Control, type PageOf } from "@dari/control/context";
import { files, type Page } from "@dari/db";
import { renderFile } from "../views/file.ts";

export async function listFiles(control: Control, actor: Actor, page: Page): Promise<PageOf<FileRecord>> {
  return renderPage(await files.listFiles(control.db, actor.organizationId, page), renderFile);
}
