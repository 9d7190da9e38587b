// Organizations: the tenants that own everything else.

import { sql, type Selectable } from "kysely";
import type { Database } from "../../database.ts";
import type { DB } from "../../generated/schema.ts";
import { toPage, type ListPage, type Page } from "../context/page.ts";
import { startOrStopCounting } from "./quotas.ts";

const limitColumns = [
  "weight",
  "max_concurrency",
  "max_backlog",
  "max_workspace_bytes",
  "max_workspace_files",
  "max_workspace_file_bytes",
  "session_retention_days",
  "max_requests_per_minute",
  "max_messages_per_minute",
  "max_upload_bytes_per_hour",
  "max_storage_bytes",
  "max_files",
  "max_agents",
  "max_sessions",
  "max_api_keys",
  "max_turn_memory_bytes",
  "max_turn_cpus",
] as const;

/** The limits that operators set, under the names of their columns, which are those of the API. */
export type OrganizationLimits = Readonly<Pick<Selectable<DB["organizations"]>, (typeof limitColumns)[number]>>;

export interface OrganizationRow extends OrganizationLimits {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly isOperator: boolean;
  readonly createdAt: Date;
}

const columns = [
  "id",
  "name",
  "slug",
  "is_operator as isOperator",
  ...limitColumns,
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

/** Finds an organization by primary key. Does not find deleted ones. */
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
 * Checks as `isCreator` does, in a transaction: until it ends, neither the calling key nor the organization's first key
 * can be revoked, and the organization cannot be deleted. Returns false also if one of these has just happened.
 */
export async function lockIfCreator(db: Database, keyId: string, organizationId: string): Promise<boolean> {
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
): Promise<ListPage<OrganizationRow> | undefined> {
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

/**
 * Returns the row before and after; undefined if there is none (primary key). Runs in a transaction. Absent limits stay
 * unchanged; at least one is given.
 */
export async function updateOrganizationLimits(
  db: Database,
  organizationId: string,
  limits: Partial<OrganizationLimits>,
): Promise<{ before: OrganizationRow; after: OrganizationRow } | undefined> {
  const before = await db.kysely
    .selectFrom("organizations")
    .where("id", "=", organizationId)
    .where("deleted_at", "is", null)
    .select(columns)
    .forNoKeyUpdate()
    .executeTakeFirst();
  if (before === undefined) return undefined;
  const after = await db.kysely
    .updateTable("organizations")
    .set(limits)
    .where("id", "=", organizationId)
    .returning(columns)
    .executeTakeFirstOrThrow();
  await startOrStopCounting(db, organizationId, "sessions", after.max_sessions);
  await startOrStopCounting(db, organizationId, "storage_bytes", after.max_storage_bytes);
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

/** The most that a turn of an organization gets; null: no limit of its own. */
export interface TurnBounds {
  readonly memoryBytes: number | null;
  readonly cpus: number | null;
}

/** By primary key. */
export async function findTurnBounds(db: Database, organizationId: string): Promise<TurnBounds | undefined> {
  return db.kysely
    .selectFrom("organizations")
    .where("id", "=", organizationId)
    .select(["max_turn_memory_bytes as memoryBytes", "max_turn_cpus as cpus"])
    .executeTakeFirst();
}

/** Returns the organization's own limits of a workspace, by primary key; null: the platform's. */
export async function findWorkspaceBounds(db: Database, organizationId: string): Promise<WorkspaceBounds | undefined> {
  return db.kysely
    .selectFrom("organizations")
    .where("id", "=", organizationId)
    .select(["max_workspace_bytes as bytes", "max_workspace_files as files", "max_workspace_file_bytes as fileBytes"])
    .executeTakeFirst();
}
