// API keys by the hash of their secret. The secret itself is never stored.

import { sql, type Selection } from "kysely";
import { withTransaction, type Database, type Queryable } from "../../database.ts";
import type { DB } from "../../generated/schema.ts";
import { statement } from "../../statement.ts";
import { listNewestFirst, type ListPage, type Page } from "../context/page.ts";
import { organizationWithinQuota } from "./quotas.ts";

/** The key's own rate limits; null: none. */
export interface KeyRates {
  readonly maxRequestsPerMinute: number | null;
  readonly maxMessagesPerMinute: number | null;
  readonly maxUploadBytesPerHour: number | null;
}

export interface NewApiKey {
  readonly id: string;
  readonly organizationId: string;
  readonly label: string;
  readonly secretHash: Buffer;
  readonly scopes: readonly string[];
  readonly expiresAt?: Date | undefined;
  readonly rates?: KeyRates | undefined;
  /** The person whose device has it (default: the organization's own key). */
  readonly memberId?: string | undefined;
  /** Default: true. */
  readonly managesOwners?: boolean | undefined;
  /** Members whose links led to this key. It ends with them. */
  readonly invitedBy?: readonly string[] | undefined;
  /** Whether the key belongs to a connected app (default: false). */
  readonly isApp?: boolean | undefined;
  /** Only for an organization's first key: the key that created the organization. Absent if setup created it. */
  readonly creatorKeyId?: string | undefined;
}

const rateColumns = [
  "api_keys.max_requests_per_minute as maxRequestsPerMinute",
  "api_keys.max_messages_per_minute as maxMessagesPerMinute",
  "api_keys.max_upload_bytes_per_hour as maxUploadBytesPerHour",
] as const;

const columns = [
  "id",
  "label",
  "scopes",
  "created_at as createdAt",
  "last_used_at as lastUsedAt",
  "member_id as memberId",
  ...rateColumns,
] as const;

/** When a key ends: for a connected app, when it can no longer renew its key's secret (primary key). */
const keyEnd = sql<Date | null>`coalesce(
  (select a.ends_at from connected_apps a where a.api_key_id = api_keys.id), api_keys.expires_at)`;

export interface ApiKeyRow extends Readonly<Selection<DB, "api_keys", (typeof columns)[number]>> {
  readonly expiresAt: Date | null;
}

export async function insertApiKey(db: Database, key: NewApiKey): Promise<ApiKeyRow> {
  return insertApiKeyIn(db.kysely, key);
}

export async function insertApiKeyIn(kysely: Database["kysely"], key: NewApiKey): Promise<ApiKeyRow> {
  return kysely
    .insertInto("api_keys")
    .values({
      id: key.id,
      organization_id: organizationWithinQuota(key.organizationId, "api_keys", 1),
      label: key.label,
      secret_hash: key.secretHash,
      scopes: [...key.scopes],
      expires_at: key.expiresAt ?? null,
      max_requests_per_minute: key.rates?.maxRequestsPerMinute ?? null,
      max_messages_per_minute: key.rates?.maxMessagesPerMinute ?? null,
      max_upload_bytes_per_hour: key.rates?.maxUploadBytesPerHour ?? null,
      member_id: key.memberId ?? null,
      manages_owners: key.managesOwners ?? true,
      let_in_by: [...(key.invitedBy ?? [])],
      creator_key_id: key.creatorKeyId ?? null,
      is_app: key.isApp ?? false,
    })
    .returning([...columns, "expires_at as expiresAt"])
    .executeTakeFirstOrThrow();
}

export interface UsableApiKey extends KeyRates {
  readonly id: string;
  readonly organizationId: string;
  readonly scopes: string[];
  readonly managesOwners: boolean;
  /** The member whose device has the key. */
  readonly memberId: string | null;
  readonly memberRole: string | null;
  /** Whether a connected app has the key. */
  readonly isApp: boolean;
  /** Whether the last recorded use is more than a minute ago. */
  readonly useIsStale: boolean;
}

/**
 * Finds the key with this hash, unless it was revoked or has expired, or its organization is deleted: a running call
 * can create a key after the deletion (unique index on secret_hash).
 */
export async function findApiKeyIfUsable(db: Database, secretHash: Buffer): Promise<UsableApiKey | undefined> {
  return (await selectUsableKey(db, { secretHash }))[0];
}

/** Finds a key that is still valid, by its id (primary key). */
export async function findUsableApiKeyById(db: Database, keyId: string): Promise<UsableApiKey | undefined> {
  return (await selectUsableKeyById(db, { keyId }))[0];
}

/** Returns those of the keys that are not over (primary key). An app's key can have to renew its secret. */
export async function listUsableKeyIds(db: Database, keyIds: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await db.kysely
    .selectFrom("api_keys")
    .innerJoin("organizations as o", "o.id", "api_keys.organization_id")
    .where("api_keys.id", "in", keyIds)
    .where("revoked_at", "is", null)
    .where((eb) => eb.or([eb(keyEnd, "is", null), eb(keyEnd, ">", sql<Date>`clock_timestamp()`)]))
    .where("o.deleted_at", "is", null)
    .select("api_keys.id")
    .execute();
  return new Set(rows.map((row) => row.id));
}

const useIsStale = sql<boolean>`(last_used_at is null or last_used_at < clock_timestamp() - interval '1 minute')`;

const usableKeys = (kysely: Queryable) =>
  kysely
    .selectFrom("api_keys")
    .innerJoin("organizations as o", "o.id", "api_keys.organization_id")
    .leftJoin("members", "members.id", "api_keys.member_id")
    .where("o.deleted_at", "is", null)
    .where("revoked_at", "is", null)
    .where((eb) => eb.or([eb("expires_at", "is", null), eb("expires_at", ">", sql<Date>`clock_timestamp()`)]))
    .select(["api_keys.id", "api_keys.organization_id as organizationId", "scopes", ...rateColumns])
    .select([
      "manages_owners as managesOwners",
      "member_id as memberId",
      "members.role as memberRole",
      "is_app as isApp",
    ])
    .select(useIsStale.as("useIsStale"));

const selectUsableKey = statement((kysely, by: { secretHash: Buffer }) =>
  usableKeys(kysely).where("secret_hash", "=", by.secretHash),
);

const selectUsableKeyById = statement((kysely, by: { keyId: string }) =>
  usableKeys(kysely).where("api_keys.id", "=", by.keyId),
);

/** Returns those of the hashes that belong to a key, valid or not (unique index on secret_hash). */
export async function listKnownHashes(db: Database, hashes: readonly Buffer[]): Promise<Buffer[]> {
  const result = await sql<{ hash: Buffer }>`select k.secret_hash as hash from unnest(${hashes}::bytea[]) w (hash)
    cross join lateral (select secret_hash from api_keys where secret_hash = w.hash offset 0) k`.execute(db.kysely);
  return result.rows.map((row) => row.hash);
}

/** Records a use at most once a minute, so that a busy key does not rewrite its row on every request. */
export async function touchApiKeyIfStale(db: Database, keyId: string): Promise<void> {
  await db.kysely
    .updateTable("api_keys")
    .set({ last_used_at: sql<Date>`clock_timestamp()` })
    .where("id", "=", keyId)
    .where(useIsStale)
    .execute();
}

/** Finds a key by primary key. Does not find revoked keys. */
export async function findApiKey(db: Database, organizationId: string, keyId: string): Promise<ApiKeyRow | undefined> {
  return db.kysely
    .selectFrom("api_keys")
    .where("id", "=", keyId)
    .where("organization_id", "=", organizationId)
    .where("revoked_at", "is", null)
    .select(columns)
    .select(keyEnd.as("expiresAt"))
    .executeTakeFirst();
}

/** Lists keys that are not revoked, newest first (index api_keys_by_organization). */
export function listApiKeys(
  db: Database,
  organizationId: string,
  page: Page,
): Promise<ListPage<ApiKeyRow> | undefined> {
  const query = db.kysely
    .selectFrom("api_keys")
    .where("organization_id", "=", organizationId)
    .where("revoked_at", "is", null)
    .select(columns)
    .select(keyEnd.as("expiresAt"));
  return listNewestFirst(db, { table: "api_keys", organizationId, page }, query);
}

/** Returns false if there is no such key, or it was revoked before. */
export async function revokeApiKeyIfLive(db: Database, organizationId: string, keyId: string): Promise<boolean> {
  const result = await db.kysely
    .updateTable("api_keys")
    .set({ revoked_at: sql<Date>`clock_timestamp()` })
    .where("id", "=", keyId)
    .where("organization_id", "=", organizationId)
    .where("revoked_at", "is", null)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** Inserts a key and revokes those with the same label and person: at most one stays valid. */
export async function replaceApiKeyByLabel(db: Database, key: NewApiKey): Promise<ApiKeyRow> {
  return withTransaction(db, async (tx) => {
    // One replacement per organization at a time: two would each miss the other's new row.
    await sql`select 1 from organizations where id = ${key.organizationId} for no key update`.execute(tx);
    await tx
      .updateTable("api_keys")
      .set({ revoked_at: sql<Date>`clock_timestamp()` })
      .where("organization_id", "=", key.organizationId)
      .where("label", "=", key.label)
      .where("member_id", "is not distinct from", key.memberId ?? null)
      .where("revoked_at", "is", null)
      .execute();
    return insertApiKeyIn(tx, key);
  });
}
