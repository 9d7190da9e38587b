// Lists an organization's agents.

import type { AgentRecord } from "@dari/contract";
import { renderPage, type Actor, type Control, type PageOf } from "@dari/control/context";
import { agents, type Page } from "@dari/db";
import { renderAgent } from "../views/agent.ts";

export async function listAgents(control: Control, actor: Actor, page: Page): Promise<PageOf<AgentRecord>> {
  const listed = await agents.listAgents(control.db, actor.organizationId, page);
  return renderPage(listed, (row) => renderAgent(control.publicUrl, row));
}
