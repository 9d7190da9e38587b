// Webhook endpoints and their sealed secrets. This file never opens them.

import { sql, type Transaction, type InferResult } from "kysely";
import { withTransaction, type Database } from "../../database.ts";
import type { DB } from "../../generated/schema.ts";
import { listNewestFirst, type ListPage, type Page } from "../context/page.ts";

export interface NewWebhookEndpoint {
  readonly id: string;
  readonly organizationId: string;
  readonly url: string;
  readonly agentId: string | null;
  readonly eventTypes: readonly string[];
  readonly description: string | null;
  /** Its first secret. */
  readonly sealed: Buffer;
}

export interface WebhookEndpointKey {
  readonly organizationId: string;
  readonly endpointId: string;
}

function select(kysely: Database["kysely"], organizationId: string) {
  // The latest end of a replaced secret that still signs; null: none does.
  const oldSecretExpiresAt = sql<Date | null>`(select max(x.expires_at) from webhook_secrets x
    where x.endpoint_id = w.id and x.expires_at > clock_timestamp())`;
  return kysely
    .selectFrom("webhook_endpoints as w")
    .where("w.organization_id", "=", organizationId)
    .where("w.deleted_at", "is", null)
    .select([
      "w.id",
      "w.url",
      "w.agent_id as agentId",
      "w.event_types as eventTypes",
      "w.description",
      "w.status",
      "w.disabled_reason as disabledReason",
      "w.failing_since as failingSince",
      oldSecretExpiresAt.as("oldSecretExpiresAt"),
      "w.created_at as createdAt",
      "w.updated_at as updatedAt",
    ]);
}

export type WebhookEndpointRow = Readonly<InferResult<ReturnType<typeof select>>[number]>;

/**
 * `no_agent`: the agent is not the organization's, or is deleted; `too_many`: the organization has `max` endpoints.
 * Locks the organization's row, so calls of one organization run one after the other.
 */
export async function insertEndpointIfBelow(
  db: Database,
  endpoint: NewWebhookEndpoint,
  max: number,
): Promise<"created" | "no_agent" | "too_many"> {
  const { id, organizationId, url, agentId, description } = endpoint;
  return withTransaction(db, async (tx) => {
    await sql`select 1 from organizations where id = ${organizationId} for no key update`.execute(tx);
    const found = await sql<{ count: number; agent: boolean }>`
      select (select count(*) from webhook_endpoints where organization_id = ${organizationId}
          and deleted_at is null)::int as count,
        ${agentId}::text is null or exists (select 1 from agents where id = ${agentId}
          and organization_id = ${organizationId} and deleted_at is null) as agent`.execute(tx);
    const { count = 0, agent = false } = found.rows[0] ?? {};
    if (!agent) return "no_agent";
    if (count >= max) return "too_many";
    await tx
      .insertInto("webhook_endpoints")
      .values({
        id,
        organization_id: organizationId,
        url,
        agent_id: agentId,
        event_types: [...endpoint.eventTypes],
        description,
      })
      .execute();
    await insertSecret(tx, { organizationId, endpointId: id }, 1, endpoint.sealed);
    return "created";
  });
}

async function insertSecret(
  tx: Transaction<DB>,
  { organizationId, endpointId }: WebhookEndpointKey,
  number: number,
  sealed: Buffer,
): Promise<void> {
  await tx
    .insertInto("webhook_secrets")
    .values({ endpoint_id: endpointId, number, organization_id: organizationId, sealed })
    .execute();
}

/** Finds an endpoint by primary key. Does not find deleted ones. */
export async function findEndpoint(
  db: Database,
  { organizationId, endpointId }: WebhookEndpointKey,
): Promise<WebhookEndpointRow | undefined> {
  return select(db.kysely, organizationId).where("w.id", "=", endpointId).executeTakeFirst();
}

/** Lists endpoints, newest first (index webhook_endpoints_by_organization). */
export function listEndpoints(
  db: Database,
  organizationId: string,
  page: Page,
): Promise<ListPage<WebhookEndpointRow> | undefined> {
  const query = select(db.kysely, organizationId);
  return listNewestFirst(db, { table: "webhook_endpoints", organizationId, page, id: "w.id" }, query);
}

/** Locks an organization's endpoints: calls that create one wait until the transaction ends. */
export async function holdEndpoints(db: Database, organizationId: string): Promise<void> {
  await sql`select 1 from organizations where id = ${organizationId} for no key update`.execute(db.kysely);
}

/** Returns endpoints that get events of this agent only, oldest first (index webhook_endpoints_by_organization). */
export async function listAgentEndpoints(
  db: Database,
  { organizationId, agentId }: { readonly organizationId: string; readonly agentId: string },
  limit: number,
): Promise<WebhookEndpointRow[]> {
  return select(db.kysely, organizationId).where("w.agent_id", "=", agentId).orderBy("w.id").limit(limit).execute();
}

export interface WebhookEndpointChange {
  readonly url?: string | undefined;
  readonly eventTypes?: readonly string[] | undefined;
  readonly description?: string | null | undefined;
  readonly status?: "enabled" | "disabled" | undefined;
}

/**
 * Undefined fields stay unchanged. A new URL, or enabling, resets the failures. Disabling a disabled endpoint keeps its
 * reason. Returns false if there is no such endpoint.
 */
export async function updateEndpointIfLive(
  db: Database,
  { organizationId, endpointId }: WebhookEndpointKey,
  change: WebhookEndpointChange,
): Promise<boolean> {
  const { url = null, eventTypes = null, description = null, status = null } = change;
  const result = await sql`
    update webhook_endpoints set url = coalesce(${url}::text, url),
      event_types = coalesce(${eventTypes}::text[], event_types),
      description = case when ${change.description !== undefined} then ${description}::text else description end,
      status = coalesce(${status}::text, status),
      disabled_reason = case ${status}::text when 'enabled' then null
        when 'disabled' then coalesce(disabled_reason, 'manual') else disabled_reason end,
      failures = case when ${url}::text <> url or ${status}::text = 'enabled' then 0 else failures end,
      failing_since = case when ${url}::text <> url or ${status}::text = 'enabled' then null else failing_since end,
      updated_at = clock_timestamp()
    where id = ${endpointId} and organization_id = ${organizationId} and deleted_at is null`.execute(db.kysely);
  return result.numAffectedRows === 1n;
}

/** Deletes the endpoint and its secrets; its deliveries are removed later. Returns false if there is none. */
export async function deleteEndpointIfLive(
  db: Database,
  { organizationId, endpointId }: WebhookEndpointKey,
): Promise<boolean> {
  const result = await sql<{ n: number }>`
    with gone as (
      update webhook_endpoints set deleted_at = clock_timestamp()
      where id = ${endpointId} and organization_id = ${organizationId} and deleted_at is null returning id),
    forgotten as (delete from webhook_secrets x using gone where x.endpoint_id = gone.id)
    select count(*)::int as n from gone`.execute(db.kysely);
  return result.rows[0]?.n === 1;
}

/**
 * Adds a secret; the earlier ones sign for `oldMs` more. `too_many`: more than `max` secrets would sign. Locks the
 * endpoint's row, so calls run one after the other.
 */
export async function addSecretIfBelow(
  db: Database,
  place: WebhookEndpointKey,
  { sealed, oldMs, max }: { sealed: Buffer; oldMs: number; max: number },
): Promise<"added" | "missing" | "too_many"> {
  const { organizationId, endpointId } = place;
  return withTransaction(db, async (tx) => {
    const held = await sql`select 1 from webhook_endpoints where id = ${endpointId}
      and organization_id = ${organizationId} and deleted_at is null for no key update`.execute(tx);
    if (held.rows.length === 0) return "missing";
    await sql`delete from webhook_secrets
      where endpoint_id = ${endpointId} and expires_at <= clock_timestamp()`.execute(tx);
    const found = await sql<{ count: number; last: number }>`select count(*)::int as count, max(number) as last
      from webhook_secrets where endpoint_id = ${endpointId}`.execute(tx);
    const { count = 0, last = 0 } = found.rows[0] ?? {};
    if (count >= max) return "too_many";
    await sql`update webhook_secrets set expires_at = clock_timestamp() + ${oldMs} * interval '1 millisecond'
      where endpoint_id = ${endpointId} and expires_at is null`.execute(tx);
    await insertSecret(tx, place, last + 1, sealed);
    return "added";
  });
}

export interface LiveSecret {
  readonly endpointId: string;
  readonly organizationId: string;
  readonly sealed: Buffer;
}

/** Returns all secrets that these endpoints sign with now, newest first (primary key). */
export async function listLiveSecrets(db: Database, endpointIds: readonly string[]): Promise<LiveSecret[]> {
  return db.kysely
    .selectFrom("webhook_secrets")
    .where("endpoint_id", "in", endpointIds)
    .where((eb) => eb.or([eb("expires_at", "is", null), eb("expires_at", ">", sql<Date>`clock_timestamp()`)]))
    .select(["endpoint_id as endpointId", "organization_id as organizationId", "sealed"])
    .orderBy("number", "desc")
    .execute();
}

/** Removes deleted endpoints without deliveries (index webhook_endpoints_deleted). */
export async function purgeEndpoints(db: Database, limit: number): Promise<number> {
  const result = await sql`
    delete from webhook_endpoints where id in (
      select w.id from webhook_endpoints w where w.deleted_at is not null
        and not exists (select 1 from webhook_deliveries d where d.endpoint_id = w.id) limit ${limit})`.execute(
    db.kysely,
  );
  return Number(result.numAffectedRows ?? 0);
}
