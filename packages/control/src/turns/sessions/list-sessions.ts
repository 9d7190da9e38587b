// Lists an organization's sessions that match a filter.

import type { SessionRecord, SessionStatus } from "@dari/contract";
import { renderPage, type Actor, type Control, type PageOf } from "@dari/control/context";
import { agents, sessions, type Page } from "@dari/db";
import { requireFound } from "@dari/domain";
import { renderSession } from "../views/session.ts";

export interface SessionQuery {
  readonly agentId?: string | undefined;
  readonly name?: string | undefined;
  readonly status?: SessionStatus | undefined;
  readonly metadata: readonly (readonly [key: string, value: string])[];
}

export async function listSessions(
  control: Control,
  actor: Actor,
  query: SessionQuery,
  page: Page,
): Promise<PageOf<SessionRecord>> {
  const filter = { ...query, status: query.status === "active" ? ("busy" as const) : query.status };
  return renderPage(await sessions.listSessions(control.db, actor.organizationId, filter, page), renderSession);
}

/** Lists the sessions of an agent that is not deleted. @throws AppError `not_found` */
export async function listAgentSessions(
  control: Control,
  actor: Actor,
  query: SessionQuery & { readonly agentId: string },
  page: Page,
): Promise<PageOf<SessionRecord>> {
  requireFound(await agents.findAgent(control.db, actor.organizationId, query.agentId), "agent");
  return listSessions(control, actor, query, page);
}
