// The apps that a person has connected, and how the person disconnects them.

import { hasScope, type AppScope, type ConnectedApp } from "@dari/contract";
import { renderPage, type Actor, type Control, type PageOf } from "@dari/control/context";
import { apiKeys, connectedApps, type ConnectedAppRow, type Page } from "@dari/db";
import { notFound } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";
import { describeRedirect } from "./redirect-uri.ts";

/** Lists a person's apps, or for an organization's admin key those that the organization's keys have connected. */
export async function listConnectedApps(control: Control, actor: Actor, page: Page): Promise<PageOf<ConnectedApp>> {
  if (!ownsApps(actor)) return { rows: [], next: null };
  const { organizationId, person } = actor;
  return renderPage(
    await connectedApps.listConnectedApps(control.db, organizationId, person?.memberId, page),
    renderApp,
  );
}

function renderApp(row: ConnectedAppRow): ConnectedApp {
  const { host, kind } = describeRedirect(row.redirectUri);
  return {
    id: row.id,
    client_name: row.clientName,
    redirect_host: host,
    redirect_kind: kind,
    scopes: row.scopes as AppScope[],
    created_at: row.createdAt.toISOString(),
    last_used_at: row.lastUsedAt?.toISOString() ?? null,
    expires_at: row.endsAt.toISOString(),
  };
}

/** @throws AppError `not_found`, also for the app of another person. */
export async function disconnectApp(control: Control, actor: Actor, keyId: string): Promise<void> {
  const { organizationId, person } = actor;
  const isEnded = await withAuditEntry(
    control,
    actor,
    async ({ db }) =>
      ownsApps(actor) &&
      (await connectedApps.ownsConnectedApp(db, organizationId, person?.memberId, keyId)) &&
      apiKeys.revokeApiKeyIfLive(db, organizationId, keyId),
    (ended) => (ended ? { action: "app.end", target: keyId, details: { reason: "disconnected" } } : undefined),
  );
  if (!isEnded) throw notFound("connected app");
}

function ownsApps({ person, scopes }: Actor): boolean {
  return person !== undefined || hasScope(scopes, "admin");
}
