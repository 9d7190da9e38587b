// Lists an agent's versions.

import type { AgentRecord, VersionRecord } from "@dari/contract";
import { renderPage, type Actor, type Control, type PageOf } from "@dari/control/context";
import { versions, type Page } from "@dari/db";
import { renderVersion } from "../views/agent.ts";
import { getAgent } from "../agents/get-agent.ts";

/** Returns a page of versions, and their agent. @throws AppError `not_found` */
export async function listVersions(
  control: Control,
  actor: Actor,
  agentId: string,
  page: Page,
): Promise<PageOf<VersionRecord> & { readonly agent: AgentRecord }> {
  const agent = await getAgent(control, actor, agentId);
  const listed = await versions.listVersions(control.db, actor.organizationId, agentId, page);
  return { ...renderPage(listed, renderVersion), agent };
}
