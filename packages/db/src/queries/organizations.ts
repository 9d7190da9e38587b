// Organizations: the tenants that own everything else.

import { sql } from "kysely";
import type { Database } from "../database.ts";
import { toPage, type Listed, type Page } from "./page.ts";
import { countIfBounded } from "./quotas.ts";

export interface OrganizationRow {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly isOperator: boolean;
  /** Its share of the fleet relative to other waiting organizations. */
  readonly weight: number;
  /** Maximum number of turns at once, and of open messages; null: the platform's default. */
  readonly maxConcurrency: number | null;
  readonly maxBacklog: number | null;
  /** Limits of one workspace; null: the platform's default. */
  readonly maxWorkspaceBytes: number | null;
  readonly maxWorkspaceFiles: number | null;
  readonly maxWorkspaceFileBytes: number | null;
  /** Null: sessions do not expire. */
  readonly sessionRetentionDays: number | null;
  /** Limits of all its keys together; null: the platform's default. */
  readonly maxRequestsPerMinute: number | null;
  readonly maxMessagesPerMinute: number | null;
  readonly maxUploadBytesPerHour: number | null;
  /** Quotas; null: no limit. */
  readonly maxStorageBytes: number | null;
  readonly maxFiles: number | null;
  readonly maxAgents: number | null;
  readonly maxSessions: number | null;
  readonly maxApiKeys: number | null;
  readonly createdAt: Date;
}

/** Absent fields stay unchanged. */
export interface OrganizationLimits {
  readonly weight?: number | undefined;
  readonly maxConcurrency?: number | null | undefined;
  readonly maxBacklog?: number | null | undefined;
  readonly maxWorkspaceBytes?: number | null | undefined;
  readonly maxWorkspaceFiles?: number | null | undefined;
  readonly maxWorkspaceFileBytes?: number | null | undefined;
  readonly sessionRetentionDays?: number | null | undefined;
  readonly maxRequestsPerMinute?: number | null | undefined;
  readonly maxMessagesPerMinute?: number | null | undefined;
  readonly maxUploadBytesPerHour?: number | null | undefined;
  readonly maxStorageBytes?: number | null | undefined;
  readonly maxFiles?: number | null | undefined;
  readonly maxAgents?: number | null | undefined;
  readonly maxSessions?: number | null | undefined;
  readonly maxApiKeys?: number | null | undefined;
}

const columns = [
  "id",
  "name",
  "slug",
  "is_operator as isOperator",
  "weight",
  "max_concurrency as maxConcurrency",
  "max_backlog as maxBacklog",
  "max_workspace_bytes as maxWorkspaceBytes",
  "max_workspace_files as maxWorkspaceFiles",
  "max_workspace_file_bytes as maxWorkspaceFileBytes",
  "session_retention_days as sessionRetentionDays",
  "max_requests_per_minute as maxRequestsPerMinute",
  "max_messages_per_minute as maxMessagesPerMinute",
  "max_upload_bytes_per_hour as maxUploadBytesPerHour",
  "max_storage_bytes as maxStorageBytes",
  "max_files as maxFiles",
  "max_agents as maxAgents",
  "max_sessions as maxSessions",
  "max_api_keys as maxApiKeys",
  "created_at as createdAt",
] as const;

/**
 * Inserts an organization, or returns undefined if its slug is taken (unique index on slug). `operator`: `first` makes
 * it an operator if the installation has none yet.
 */
export async function insertOrganizationIfSlugFree(
  db: Database,
  { operator, ...organization }: { id: string; name: string; slug: string; operator?: "yes" | "first" },
): Promise<OrganizationRow | undefined> {
  const isFirst = sql<boolean>`not exists (select 1 from organizations where is_operator)`;
  return db.kysely
    .insertInto("organizations")
    .values({ ...organization, is_operator: operator === "first" ? isFirst : operator === "yes" })
    .onConflict((conflict) => conflict.column("slug").doNothing())
    .returning(columns)
    .executeTakeFirst();
}

/** By primary key. Does not find deleted ones. */
export async function findOrganization(db: Database, organizationId: string): Promise<OrganizationRow | undefined> {
  return db.kysely
    .selectFrom("organizations")
    .where("id", "=", organizationId)
    .where("deleted_at", "is", null)
    .select(columns)
    .executeTakeFirst();
}

/** A caller's organization, and its key or sign-in. */
export interface Caller {
  readonly organizationId: string;
  readonly keyId: string;
}

/** Organizations that this key has created and whose first key is still valid (index api_keys_by_creator). */
const createdBy = (keyId: string) => sql<string>`(select k.organization_id from api_keys k
  where k.creator_key_id = ${keyId} and k.revoked_at is null
    and (k.expires_at is null or k.expires_at > clock_timestamp()))`;

/** Returns whether this key created the organization, and the organization still lets it in. */
export async function isCreator(db: Database, keyId: string, organizationId: string): Promise<boolean> {
  const row = await db.kysely
    .selectFrom("organizations")
    .where("id", "=", organizationId)
    .where("deleted_at", "is", null)
    .where("id", "in", createdBy(keyId))
    .select("id")
    .executeTakeFirst();
  return row !== undefined;
}

/**
 * As `isCreator`, in a transaction: until it ends, neither the calling key nor the organization's first key can be
 * revoked, and the organization cannot be deleted. Returns false also if one of these has just happened.
 */
export async function holdIfCreator(db: Database, keyId: string, organizationId: string): Promise<boolean> {
  // A person's sign-in has no row in api_keys. A membership that ends during the call is handled by its inviters' lock.
  const caller = await sql<{ ended: boolean }>`select revoked_at is not null or expires_at <= clock_timestamp() as ended
    from api_keys where id = ${keyId} for share`.execute(db.kysely);
  if (caller.rows[0]?.ended === true) return false;
  const organization = await db.kysely
    .selectFrom("organizations")
    .where("id", "=", organizationId)
    .where("deleted_at", "is", null)
    .select("id")
    .forNoKeyUpdate()
    .executeTakeFirst();
  if (organization === undefined) return false;
  const key = await sql`select 1 from api_keys k where k.creator_key_id = ${keyId}
    and k.organization_id = ${organizationId} and k.revoked_at is null
    and (k.expires_at is null or k.expires_at > clock_timestamp()) for share`.execute(db.kysely);
  return key.rows.length > 0;
}

/**
 * Lists the caller's own organization, then those that its key has created, newest first. Returns undefined for an
 * unknown cursor.
 */
export async function listOrganizationsOf(
  db: Database,
  { organizationId, keyId }: Caller,
  page: Page,
): Promise<Listed<OrganizationRow> | undefined> {
  const isOwn = sql<boolean>`(id = ${organizationId})`;
  const reachable = db.kysely
    .selectFrom("organizations")
    .where("deleted_at", "is", null)
    .where((eb) => eb.or([isOwn, eb("id", "in", createdBy(keyId))]));
  let query = reachable;
  if (page.after !== undefined) {
    const known = await reachable.where("id", "=", page.after).select("id").executeTakeFirst();
    if (known === undefined) return undefined;
    query = query.where("id", "<>", organizationId);
    if (known.id !== organizationId) query = query.where("id", "<", known.id);
  }
  const rows = await query
    .select(columns)
    .orderBy(isOwn, "desc")
    .orderBy("id", "desc")
    .limit(page.limit + 1)
    .execute();
  return toPage(rows, page);
}

/** Returns the row before and after; undefined if there is none (primary key). Runs in a transaction. */
export async function updateOrganizationLimits(
  db: Database,
  organizationId: string,
  limits: OrganizationLimits,
): Promise<{ before: OrganizationRow; after: OrganizationRow } | undefined> {
  const before = await db.kysely
    .selectFrom("organizations")
    .where("id", "=", organizationId)
    .where("deleted_at", "is", null)
    .select(columns)
    .forNoKeyUpdate()
    .executeTakeFirst();
  if (before === undefined) return undefined;
  const given = Object.entries(limits).filter(([, value]) => value !== undefined);
  const next: OrganizationRow = { ...before, ...Object.fromEntries(given) };
  const after = await db.kysely
    .updateTable("organizations")
    .set({
      weight: next.weight,
      max_concurrency: next.maxConcurrency,
      max_backlog: next.maxBacklog,
      max_workspace_bytes: next.maxWorkspaceBytes,
      max_workspace_files: next.maxWorkspaceFiles,
      max_workspace_file_bytes: next.maxWorkspaceFileBytes,
      session_retention_days: next.sessionRetentionDays,
      max_requests_per_minute: next.maxRequestsPerMinute,
      max_messages_per_minute: next.maxMessagesPerMinute,
      max_upload_bytes_per_hour: next.maxUploadBytesPerHour,
      max_storage_bytes: next.maxStorageBytes,
      max_files: next.maxFiles,
      max_agents: next.maxAgents,
      max_sessions: next.maxSessions,
      max_api_keys: next.maxApiKeys,
    })
    .where("id", "=", organizationId)
    .returning(columns)
    .executeTakeFirstOrThrow();
  await countIfBounded(db, organizationId, "sessions", after.maxSessions);
  await countIfBounded(db, organizationId, "storage_bytes", after.maxStorageBytes);
  return { before, after };
}

/** Returns the oldest organization: the one that a new platform created for itself (at most a few rows). */
export async function findFirstOrganization(db: Database): Promise<OrganizationRow | undefined> {
  return db.kysely
    .selectFrom("organizations")
    .where("deleted_at", "is", null)
    .select(columns)
    .orderBy("id")
    .limit(1)
    .executeTakeFirst();
}

/** Counts organizations, up to `most`. */
export async function countOrganizations(db: Database, most: number): Promise<number> {
  const rows = await db.kysely
    .selectFrom("organizations")
    .where("deleted_at", "is", null)
    .select("id")
    .limit(most)
    .execute();
  return rows.length;
}

/**
 * Deletes the organization and revokes its keys, in a transaction; its data is removed later. `operator`: it
 * administers the installation, and stays.
 */
export async function deleteOrganizationIfTenant(
  db: Database,
  organizationId: string,
): Promise<"deleted" | "missing" | "operator"> {
  const row = await db.kysely
    .selectFrom("organizations")
    .where("id", "=", organizationId)
    .where("deleted_at", "is", null)
    .select("is_operator as isOperator")
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) return "missing";
  if (row.isOperator) return "operator";
  await sql`update organizations set deleted_at = clock_timestamp() where id = ${organizationId}`.execute(db.kysely);
  await sql`update api_keys set revoked_at = clock_timestamp()
    where organization_id = ${organizationId} and revoked_at is null`.execute(db.kysely);
  return "deleted";
}

export interface WorkspaceBounds {
  readonly bytes: number | null;
  readonly files: number | null;
  readonly fileBytes: number | null;
}

/** Returns the organization's own limits of a workspace, by primary key; null: the platform's. */
export async function findWorkspaceBounds(db: Database, organizationId: string): Promise<WorkspaceBounds | undefined> {
  return db.kysely
    .selectFrom("organizations")
    .where("id", "=", organizationId)
    .select(["max_workspace_bytes as bytes", "max_workspace_files as files", "max_workspace_file_bytes as fileBytes"])
    .executeTakeFirst();
}
