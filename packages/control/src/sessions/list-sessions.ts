// Lists an organization's sessions, filtered.

import type { SessionRecord, SessionStatus } from "@dari/contract";
import { sessions, type Page } from "@dari/db";
import type { Actor, Control } from "../context.ts";
import { renderPage, type PageOf } from "../refusals.ts";
import { renderSession } from "../views/session.ts";

export interface SessionQuery {
  readonly agentId?: string | undefined;
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
