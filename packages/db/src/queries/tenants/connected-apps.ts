// Apps that people connect by OAuth, such as MCP clients. Each is an API key with a row about its code and its tokens.
// The texts of codes and tokens are not stored: the key's id and the generation determine them.

import { sql } from "kysely";
import { withTransaction, type Database } from "../../database.ts";
import { insertApiKeyIn, type NewApiKey } from "./api-keys.ts";
import { listNewestFirst, type ListPage, type Page } from "../context/page.ts";

export interface NewConnectedApp {
  /** Its secret is unknown to everyone until the code is used. It expires with the code. */
  readonly key: Omit<NewApiKey, "isApp">;
  readonly clientId: string;
  readonly clientName: string;
  readonly redirectUri: string;
  readonly codeChallenge: string;
  readonly codeMs: number;
}

/**
 * Creates an app whose code was not used yet, with its key. Returns false if the person, or the organization's keys,
 * have `most` apps (concurrent calls can exceed it slightly; indexes api_keys_by_member and
 * connected_apps_by_organization).
 */
export async function insertConnectedAppIfBelow(db: Database, app: NewConnectedApp, most: number): Promise<boolean> {
  return withTransaction(db, async (tx) => {
    const { key, clientId, clientName, redirectUri, codeChallenge, codeMs } = app;
    const memberId = key.memberId ?? null;
    const owned = await sql`select 1 from connected_apps a join api_keys k on k.id = a.api_key_id
      where a.organization_id = ${key.organizationId} and k.member_id is not distinct from ${memberId}
        and k.revoked_at is null and a.ends_at > clock_timestamp() limit ${most}`.execute(tx);
    if (owned.rows.length >= most) return false;
    await insertApiKeyIn(tx, { ...key, isApp: true });
    await sql`
      insert into connected_apps (api_key_id, organization_id, client_id, client_name, redirect_uri, code_challenge,
        ends_at)
      values (${key.id}, ${key.organizationId}, ${clientId}, ${clientName}, ${redirectUri}, ${codeChallenge},
        clock_timestamp() + ${codeMs} * interval '1 millisecond')`.execute(tx);
    return true;
  });
}

/** An app with the secret of its next access token. */
export interface AppAdvance {
  readonly keyId: string;
  readonly clientId: string;
  /** The hash of the next access token. */
  readonly secretHash: Buffer;
  readonly accessTokenMs: number;
  readonly refreshTokenMs: number;
  readonly appMs: number;
}

export interface AdvancedApp {
  readonly organizationId: string;
  readonly memberId: string | null;
  readonly clientName: string;
  readonly scopes: string[];
  /** Seconds for which the access token is valid. */
  readonly seconds: number;
}

/** Uses a code, once, if everything that was approved with it is the same (primary keys). */
export async function useCodeIfValid(
  db: Database,
  advance: AppAdvance & { readonly redirectUri: string | undefined; readonly codeChallenge: string },
): Promise<AdvancedApp | undefined> {
  const { redirectUri, codeChallenge } = advance;
  const isApproved = sql`a.redirect_uri = coalesce(${redirectUri ?? null}, a.redirect_uri)
    and a.code_challenge = ${codeChallenge}`;
  return advanceIf(db, advance, 0, isApproved);
}

/** Uses the refresh token of this generation, once (primary keys). */
export async function useRefreshTokenIfCurrent(
  db: Database,
  advance: AppAdvance,
  generation: number,
): Promise<AdvancedApp | undefined> {
  return advanceIf(db, advance, generation, sql`true`);
}

/** Locks the key first, in the order in which the removal of a member locks both rows. */
async function advanceIf(
  db: Database,
  advance: AppAdvance,
  generation: number,
  condition: ReturnType<typeof sql>,
): Promise<AdvancedApp | undefined> {
  const { keyId, clientId, secretHash, accessTokenMs, refreshTokenMs, appMs } = advance;
  const result = await sql<AdvancedApp>`
    with key as (select id from api_keys where id = ${keyId} and is_app and revoked_at is null for update),
    app as (
      update connected_apps a set generation = a.generation + 1, changed_at = clock_timestamp(),
        ends_at = least(a.created_at + ${appMs} * interval '1 millisecond',
          clock_timestamp() + ${refreshTokenMs} * interval '1 millisecond')
      from key where a.api_key_id = key.id and a.generation = ${generation} and a.client_id = ${clientId}
        and a.ends_at > clock_timestamp() and ${condition}
      returning a.api_key_id, a.client_name, a.ends_at)
    update api_keys k set secret_hash = ${secretHash}::bytea,
      expires_at = least(app.ends_at, clock_timestamp() + ${accessTokenMs} * interval '1 millisecond')
    from app where k.id = app.api_key_id
    returning k.organization_id as "organizationId", k.member_id as "memberId", app.client_name as "clientName",
      k.scopes, floor(extract(epoch from k.expires_at - clock_timestamp()))::int as seconds`.execute(db.kysely);
  return result.rows[0];
}

export interface AppState extends AdvancedApp {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly codeChallenge: string;
  readonly generation: number;
  /** Whether the app can still use its code or its refresh token. */
  readonly isLive: boolean;
  /** Milliseconds since its generation was raised. */
  readonly changedMs: number;
}

/** Reads an app after its code or token was refused (primary keys). Returns undefined if it was removed. */
export async function findAppState(db: Database, keyId: string): Promise<AppState | undefined> {
  const result = await sql<AppState>`
    select k.organization_id as "organizationId", k.member_id as "memberId", a.client_name as "clientName", k.scopes,
      floor(extract(epoch from k.expires_at - clock_timestamp()))::int as seconds, a.client_id as "clientId",
      a.redirect_uri as "redirectUri", a.code_challenge as "codeChallenge", a.generation,
      k.revoked_at is null and a.ends_at > clock_timestamp() as "isLive",
      (extract(epoch from clock_timestamp() - a.changed_at) * 1000)::float8 as "changedMs"
    from connected_apps a join api_keys k on k.id = a.api_key_id where a.api_key_id = ${keyId}`.execute(db.kysely);
  return result.rows[0];
}

/** Finds the app whose current access token has this hash, whether it has expired or not (unique index). */
export async function findAppByAccessToken(db: Database, secretHash: Buffer): Promise<string | undefined> {
  const result = await sql<{ id: string }>`select id from api_keys
    where secret_hash = ${secretHash} and is_app and revoked_at is null`.execute(db.kysely);
  return result.rows[0]?.id;
}

export interface ConnectedAppRow {
  readonly id: string;
  readonly clientName: string;
  readonly redirectUri: string;
  readonly scopes: string[];
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
  readonly endsAt: Date;
}

/** Lists the apps of a person, or of the organization's keys, newest first (index api_keys_by_organization). */
export function listConnectedApps(
  db: Database,
  organizationId: string,
  memberId: string | undefined,
  page: Page,
): Promise<ListPage<ConnectedAppRow> | undefined> {
  const query = db.kysely
    .selectFrom("api_keys")
    .innerJoin("connected_apps as a", "a.api_key_id", "api_keys.id")
    .where("api_keys.organization_id", "=", organizationId)
    .where("member_id", "is not distinct from", memberId ?? null)
    .where("revoked_at", "is", null)
    .where("generation", ">", 0)
    .where("ends_at", ">", sql<Date>`clock_timestamp()`)
    .select(["api_keys.id", "client_name as clientName", "redirect_uri as redirectUri", "scopes"])
    .select(["a.created_at as createdAt", "last_used_at as lastUsedAt", "ends_at as endsAt"]);
  return listNewestFirst(db, { table: "api_keys", organizationId, page, id: "api_keys.id" }, query);
}

/** Returns whether the app belongs to this person, or to the organization's keys (primary keys). */
export async function ownsConnectedApp(
  db: Database,
  organizationId: string,
  memberId: string | undefined,
  keyId: string,
): Promise<boolean> {
  const result = await sql`select 1 from api_keys k where k.id = ${keyId} and k.organization_id = ${organizationId}
    and k.is_app and k.member_id is not distinct from ${memberId ?? null}`.execute(db.kysely);
  return result.rows.length > 0;
}

/**
 * Deletes approvals whose code was never used, and revokes the keys of apps that have ended (index
 * connected_apps_by_end). Sessions still name the keys. Returns how many. Locks keys first, as everything does. A code
 * or a token that was valid when the statement began is a minute younger than what it deletes.
 */
export async function purgeConnectedApps(db: Database, limit: number): Promise<number> {
  const ended = (unused: boolean) => sql`select k.id from connected_apps a join api_keys k on k.id = a.api_key_id
    where a.ends_at < clock_timestamp() - interval '1 minute' and (a.generation = 0) = ${unused}
    order by a.ends_at limit ${limit} for update of k skip locked`;
  const unused = await sql`delete from api_keys where id = any (array(${ended(true)}))`.execute(db.kysely);
  const over = await sql`
    with gone as (delete from connected_apps where api_key_id = any (array(${ended(false)})) returning api_key_id)
    update api_keys k set revoked_at = coalesce(k.revoked_at, clock_timestamp()) from gone
    where k.id = gone.api_key_id`.execute(db.kysely);
  return Number(unused.numAffectedRows ?? 0) + Number(over.numAffectedRows ?? 0);
}
