// The deliveries of an endpoint, including tests and repeated ones.

import type { WebhookDeliveryState } from "@dari/domain";
import { sql, type Selection } from "kysely";
import type { Database } from "../../database.ts";
import type { DB } from "../../generated/schema.ts";
import { toPage, type ListPage, type Page } from "../context/page.ts";
import type { WebhookEndpointKey } from "./webhook-endpoints.ts";

const columns = [
  "id",
  "endpoint_id as endpointId",
  "event_id as eventId",
  "type",
  "session_id as sessionId",
  "sequence_number as sequenceNumber",
  "message_id as messageId",
  "state",
  "attempts",
  "due_at as dueAt",
  "attempted_at as attemptedAt",
  "duration_ms as durationMs",
  "response_status as responseStatus",
  "response_excerpt as responseExcerpt",
  "error",
  "created_at as createdAt",
  "ended_at as endedAt",
] as const;

export type WebhookDeliveryRow = Readonly<Selection<DB, "webhook_deliveries", (typeof columns)[number]>>;

function ofEndpoint(db: Database, { organizationId, endpointId }: WebhookEndpointKey) {
  return db.kysely
    .selectFrom("webhook_deliveries")
    .where("organization_id", "=", organizationId)
    .where("endpoint_id", "=", endpointId);
}

/** Finds a delivery by primary key. */
export async function findDelivery(
  db: Database,
  place: WebhookEndpointKey,
  deliveryId: string,
): Promise<WebhookDeliveryRow | undefined> {
  return ofEndpoint(db, place).where("id", "=", deliveryId).select(columns).executeTakeFirst();
}

/**
 * Lists deliveries, newest first (index webhook_deliveries_by_endpoint; failed and cancelled ones, which are few, by
 * webhook_deliveries_undelivered).
 */
export async function listDeliveries(
  db: Database,
  place: WebhookEndpointKey,
  page: Page & { readonly state?: WebhookDeliveryState | undefined },
): Promise<ListPage<WebhookDeliveryRow> | undefined> {
  let query = ofEndpoint(db, place);
  if (page.after !== undefined) {
    if ((await findDelivery(db, place, page.after)) === undefined) return undefined;
    query = query.where("id", "<", page.after);
  }
  // Use a literal, because a plan for any state cannot use the partial index.
  if (page.state !== undefined) query = query.where("state", "=", sql.lit(page.state));
  const rows = await query
    .select(columns)
    .orderBy("id", "desc")
    .limit(page.limit + 1)
    .execute();
  return toPage(rows, page);
}

/** Inserts a delivery without an event. Returns false unless the endpoint is enabled. */
export async function insertTestIfEnabled(
  db: Database,
  { organizationId, endpointId }: WebhookEndpointKey,
  test: { readonly id: string; readonly eventId: string },
): Promise<boolean> {
  const result = await sql`
    insert into webhook_deliveries (id, organization_id, endpoint_id, event_id, type, event_created_at, due_at)
      select ${test.id}, organization_id, id, ${test.eventId}, 'webhook.test', clock_timestamp(), clock_timestamp()
      from webhook_endpoints where id = ${endpointId} and organization_id = ${organizationId}
        and status = 'enabled' and deleted_at is null`.execute(db.kysely);
  return result.numAffectedRows === 1n;
}

/**
 * Makes a delivery due at once, with a new set of attempts. `busy`: an attempt is running; `disabled`: its endpoint is.
 */
export async function resendIfIdle(
  db: Database,
  { organizationId, endpointId }: WebhookEndpointKey,
  deliveryId: string,
): Promise<"due" | "busy" | "disabled" | "missing"> {
  const result = await sql<{ found: boolean; enabled: boolean; due: boolean }>`
    with endpoint as (
      select id, status from webhook_endpoints
      where id = ${endpointId} and organization_id = ${organizationId} and deleted_at is null),
    again as (
      update webhook_deliveries d set state = 'pending', attempts = 0, due_at = clock_timestamp(), ended_at = null,
        claim_token = null
      from endpoint e where d.id = ${deliveryId} and d.endpoint_id = e.id and e.status = 'enabled'
        and (d.claim_token is null or d.due_at <= clock_timestamp()) returning 1)
    select exists (select 1 from webhook_deliveries d join endpoint e on d.endpoint_id = e.id
        where d.id = ${deliveryId}) as found,
      coalesce((select status = 'enabled' from endpoint), false) as enabled,
      exists (select 1 from again) as due`.execute(db.kysely);
  const { found = false, enabled = false, due = false } = result.rows[0] ?? {};
  if (due) return "due";
  if (!found) return "missing";
  return enabled ? "busy" : "disabled";
}
