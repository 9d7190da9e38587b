// Lists an agent's versions.

import type { VersionRecord } from "@dari/contract";
import { agents, versions, type Page } from "@dari/db";
import type { Actor, Control } from "../context.ts";
import { found, renderPage, type PageOf } from "../refusals.ts";
import { renderVersion } from "../views/agent.ts";

/** @throws AppError `not_found` */
export async function listVersions(
  control: Control,
  actor: Actor,
  agentId: string,
  page: Page,
): Promise<PageOf<VersionRecord>> {
  found(await agents.findAgent(control.db, actor.organizationId, agentId), "agent");
  return renderPage(await versions.listVersions(control.db, actor.organizationId, agentId, page), renderVersion);
}
