// Lists an organization's agents.

import type { AgentRecord } from "@dari/contract";
import { agents, type Page } from "@dari/db";
import type { Actor, Control } from "../context.ts";
import { renderPage, type PageOf } from "../page.ts";
import { renderAgent } from "../views/agent.ts";

export async function listAgents(control: Control, actor: Actor, page: Page): Promise<PageOf<AgentRecord>> {
  const listed = await agents.listAgents(control.db, actor.organizationId, page);
  return renderPage(listed, (row) => renderAgent(control.publicUrl, row));
}
