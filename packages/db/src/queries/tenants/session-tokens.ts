// What the rows say about session tokens. The tokens themselves have no rows.

import { sql } from "kysely";
import type { Database } from "../../database.ts";
import type { KeyRates } from "./api-keys.ts";

/** The part of a token that rows decide about. */
export interface SessionTokenClaims {
  readonly id: string;
  readonly organizationId: string;
  readonly sessionId: string;
  /** The session's generation when the token was made. */
  readonly generation: number;
  /** The key that made it, or the member who was signed in. */
  readonly creatorId: string;
  /** Seconds since 1970. */
  readonly expiresAt: number;
}

export interface SessionTokenState extends KeyRates {
  readonly id: string;
  /** False if it was revoked, or its session, its organization or its creator is gone. */
  readonly isLive: boolean;
  /** Milliseconds until it expires; at most 0 after that. */
  readonly leftMs: number;
  /** The scopes of the key that made it; null if a member did. */
  readonly keyScopes: string[] | null;
  /** The role of the member behind the token or its key; null for an organization's own key. */
  readonly memberRole: string | null;
  /** The organization's allowed origins, also for a token that is not usable. */
  readonly origins: string[];
}

/** Returns the state of each token, by primary keys only. */
export async function listTokenStates(
  db: Database,
  tokens: readonly SessionTokenClaims[],
): Promise<SessionTokenState[]> {
  if (tokens.length === 0) return [];
  const result = await sql<SessionTokenState>`
    select t.id,
      s.id is not null and (k.id is not null or m.id is not null) and (k.member_id is null or m.id is not null)
        as "isLive",
      (extract(epoch from t.expires_at - clock_timestamp()) * 1000)::float8 as "leftMs",
      k.scopes as "keyScopes", m.role as "memberRole",
      k.max_requests_per_minute as "maxRequestsPerMinute", k.max_messages_per_minute as "maxMessagesPerMinute",
      k.max_upload_bytes_per_hour as "maxUploadBytesPerHour", coalesce(b.origins, '{}') as origins
    from (select id, organization_id, session_id, generation, creator_id, to_timestamp(expires_at) as expires_at
      from unnest(${tokens.map(({ id }) => id)}::text[],
        ${tokens.map(({ organizationId }) => organizationId)}::text[],
        ${tokens.map(({ sessionId }) => sessionId)}::text[],
        ${tokens.map(({ generation }) => generation)}::int[],
        ${tokens.map(({ creatorId }) => creatorId)}::text[],
        ${tokens.map(({ expiresAt }) => expiresAt)}::float8[])
        as given (id, organization_id, session_id, generation, creator_id, expires_at)) t
    left join organizations o on o.id = t.organization_id and o.deleted_at is null
    left join sessions s on s.id = t.session_id and s.organization_id = o.id and s.deleted_at is null
      and s.token_generation = t.generation
    left join api_keys k on k.id = t.creator_id and k.organization_id = o.id and k.revoked_at is null
      and (k.expires_at is null or k.expires_at > clock_timestamp())
    left join members m on m.id = coalesce(k.member_id, t.creator_id) and m.organization_id = o.id
    left join allowed_origins b on b.organization_id = o.id`.execute(db.kysely);
  return result.rows;
}

/** Returns a session's generation and the database's time in seconds since 1970 (primary key). */
export async function findGeneration(
  db: Database,
  organizationId: string,
  sessionId: string,
): Promise<{ generation: number; now: number } | undefined> {
  return db.kysely
    .selectFrom("sessions")
    .where("id", "=", sessionId)
    .where("organization_id", "=", organizationId)
    .where("deleted_at", "is", null)
    .select("token_generation as generation")
    .select(sql<number>`extract(epoch from clock_timestamp())::float8`.as("now"))
    .executeTakeFirst();
}

/** Revokes the tokens of a session. Returns false if there is no such session. */
export async function raiseGeneration(db: Database, organizationId: string, sessionId: string): Promise<boolean> {
  const result = await db.kysely
    .updateTable("sessions")
    .set((eb) => ({ token_generation: eb("token_generation", "+", 1) }))
    .where("id", "=", sessionId)
    .where("organization_id", "=", organizationId)
    .where("deleted_at", "is", null)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

interface OfSession {
  readonly organizationId: string;
  readonly sessionId: string;
}

/** Returns whether a message is in the session (primary key). */
export async function hasMessage(db: Database, of: OfSession, messageId: string): Promise<boolean> {
  const row = await db.kysely
    .selectFrom("messages")
    .where("id", "=", messageId)
    .where("session_id", "=", of.sessionId)
    .where("organization_id", "=", of.organizationId)
    .select("id")
    .executeTakeFirst();
  return row !== undefined;
}

/**
 * Returns those of the files that belong to the session: uploaded with its tokens, or attached to one of its messages
 * (primary key, index session_inputs_by_file).
 */
export async function listFilesOf(
  db: Database,
  of: OfSession,
  fileIds: readonly string[],
): Promise<ReadonlySet<string>> {
  if (fileIds.length === 0) return new Set();
  const rows = await db.kysely
    .selectFrom("files as f")
    .where("f.id", "in", fileIds)
    .where("f.organization_id", "=", of.organizationId)
    .where((eb) =>
      eb.or([
        eb("f.session_id", "=", of.sessionId),
        eb.exists(
          eb
            .selectFrom("session_inputs as i")
            .whereRef("i.file_id", "=", "f.id")
            .where("i.session_id", "=", of.sessionId)
            .select("i.path"),
        ),
      ]),
    )
    .select("f.id")
    .execute();
  return new Set(rows.map(({ id }) => id));
}
