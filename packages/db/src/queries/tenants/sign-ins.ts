// Signed-in browsers, and links that sign in. Secrets are stored only as hashes.

import { sql } from "kysely";
import type { Database } from "../../database.ts";

export interface MemberSignInRow {
  readonly id: string;
  readonly organizationId: string;
  readonly apiKeyId: null;
  readonly memberId: string;
  readonly method: string;
  readonly role: string;
  /** Whether the person is an owner, and was one when signing in. */
  readonly managesOwners: boolean;
}

/** A browser that is signed in with a key. Whether the key is still valid is not checked. */
export interface KeySignInRow {
  readonly id: string;
  readonly apiKeyId: string;
}

/** Finds the sign-in with this secret, with the person's current role (unique index on secret_hash). */
export async function findSignInIfUsable(
  db: Database,
  secretHash: Buffer,
): Promise<MemberSignInRow | KeySignInRow | undefined> {
  const result = await sql<MemberSignInRow | KeySignInRow>`
    select s.id, s.organization_id as "organizationId", s.api_key_id as "apiKeyId", s.member_id as "memberId", s.method,
      m.role, s.manages_owners and m.role = 'owner' as "managesOwners"
    from sign_ins s left join members m on m.id = s.member_id join organizations o on o.id = s.organization_id
    where s.secret_hash = ${secretHash} and s.expires_at > clock_timestamp() and o.deleted_at is null`.execute(
    db.kysely,
  );
  return result.rows[0];
}

/** Returns those of the sign-ins that are still valid (primary key). */
export async function listUsableSignInIds(db: Database, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const result = await sql<{ id: string }>`select s.id from sign_ins s join organizations o on o.id = s.organization_id
      left join api_keys k on k.id = s.api_key_id
    where s.id = any (${[...ids]}::text[]) and s.expires_at > clock_timestamp() and o.deleted_at is null
      and k.revoked_at is null and (k.expires_at is null or k.expires_at > clock_timestamp())`.execute(db.kysely);
  return new Set(result.rows.map(({ id }) => id));
}

export interface NewSignIn {
  readonly id: string;
  readonly organizationId: string;
  readonly memberId: string;
  readonly secretHash: Buffer;
  readonly method: "link" | "oidc";
  readonly validMs: number;
  /** Members whose links led to this sign-in. It ends with them. */
  readonly invitedBy?: readonly string[] | undefined;
}

/** Signs a member in and records the time. Returns undefined if there is no such member. */
export async function insertSignIn(db: Database, signIn: NewSignIn): Promise<{ expiresAt: Date } | undefined> {
  const { id, organizationId, memberId, secretHash, method, validMs, invitedBy = [] } = signIn;
  const result = await sql<{ expiresAt: Date }>`
    with person as (
      update members set last_signed_in_at = clock_timestamp()
      where id = ${memberId} and organization_id = ${organizationId} returning id, organization_id, role)
    insert into sign_ins (id, organization_id, member_id, secret_hash, method, manages_owners, expires_at,
      let_in_by)
    select ${id}, p.organization_id, p.id, ${secretHash}::bytea, ${method}, p.role = 'owner',
      clock_timestamp() + ${validMs} * interval '1 millisecond', ${[...invitedBy]}::text[] from person p
    returning expires_at as "expiresAt"`.execute(db.kysely);
  return result.rows[0];
}

export interface NewKeySignIn {
  readonly id: string;
  readonly organizationId: string;
  readonly apiKeyId: string;
  readonly secretHash: Buffer;
  readonly validMs: number;
  /** How many browsers can be signed in with the key. The oldest ones are signed out. */
  readonly keep: number;
}

/** Signs a browser in with a key (index sign_ins_by_key). Returns undefined if the key is no longer valid. */
export async function insertKeySignIn(db: Database, signIn: NewKeySignIn): Promise<{ expiresAt: Date } | undefined> {
  const { id, organizationId, apiKeyId, secretHash, validMs, keep } = signIn;
  const result = await sql<{ expiresAt: Date }>`
    with key as (
      select k.id, k.organization_id, k.manages_owners,
        least(k.expires_at, clock_timestamp() + ${validMs} * interval '1 millisecond') as expires_at
      from api_keys k where k.id = ${apiKeyId} and k.organization_id = ${organizationId} and k.revoked_at is null
        and (k.expires_at is null or k.expires_at > clock_timestamp()) for share),
    surplus as (
      delete from sign_ins where id in (select s.id from sign_ins s
        where s.api_key_id = ${apiKeyId} order by s.created_at desc offset ${keep - 1}))
    insert into sign_ins (id, organization_id, api_key_id, secret_hash, method, manages_owners, expires_at)
    select ${id}, k.organization_id, k.id, ${secretHash}::bytea, 'key', k.manages_owners, k.expires_at from key k
    returning expires_at as "expiresAt"`.execute(db.kysely);
  return result.rows[0];
}

export interface NewKeySignInLink {
  readonly organizationId: string;
  readonly apiKeyId: string;
  readonly secretHash: Buffer;
  readonly validMs: number;
}

/** Replaces a key's link (primary key). Returns undefined if the key is no longer valid. */
export async function putKeySignInLink(db: Database, link: NewKeySignInLink): Promise<{ expiresAt: Date } | undefined> {
  const { organizationId, apiKeyId, secretHash, validMs } = link;
  const result = await sql<{ expiresAt: Date }>`
    insert into key_sign_in_links (api_key_id, organization_id, secret_hash, expires_at)
    select k.id, k.organization_id, ${secretHash}::bytea, clock_timestamp() + ${validMs} * interval '1 millisecond'
    from api_keys k where k.id = ${apiKeyId} and k.organization_id = ${organizationId} and k.revoked_at is null
    on conflict (api_key_id) do update set secret_hash = excluded.secret_hash, expires_at = excluded.expires_at,
      created_at = clock_timestamp()
    returning expires_at as "expiresAt"`.execute(db.kysely);
  return result.rows[0];
}

/** Takes the link that this secret opens; only one call gets it (unique index on secret_hash). */
export async function takeKeySignInLinkIfValid(
  db: Database,
  secretHash: Buffer,
): Promise<{ organizationId: string; apiKeyId: string } | undefined> {
  const result = await sql<{ organizationId: string; apiKeyId: string }>`
    delete from key_sign_in_links l where l.secret_hash = ${secretHash} and l.expires_at > clock_timestamp()
    returning l.organization_id as "organizationId", l.api_key_id as "apiKeyId"`.execute(db.kysely);
  return result.rows[0];
}

/** Returns false if it had already ended (primary key). */
export async function deleteSignIn(db: Database, organizationId: string, id: string): Promise<boolean> {
  const result = await sql`delete from sign_ins
    where id = ${id} and organization_id = ${organizationId}`.execute(db.kysely);
  return result.numAffectedRows === 1n;
}

export interface NewSignInLink {
  readonly organizationId: string;
  readonly memberId: string;
  readonly secretHash: Buffer;
  readonly validMs: number;
  /** Whether the caller may create sign-ins of owners. */
  readonly managesOwners: boolean;
  /** The link ends with these members. */
  readonly invitedBy: readonly string[];
}

/** A person who creates an invitation or a link, with a browser or the key of a device. */
export interface Inviter {
  readonly by: "sign_ins" | "api_keys";
  readonly id: string;
  /** The person's role when the call was authenticated. */
  readonly role: string;
}

/**
 * Returns the members with whom the new invitation or link ends: the person, and those whose links led to the browser
 * or device. Until the transaction ends, neither the role nor the sign-in changes. Returns undefined if one has changed
 * (primary keys).
 */
export async function lockInviter(db: Database, maker: Inviter): Promise<string[] | undefined> {
  const result = await sql<{ invitedBy: string[] }>`
    select array_append(array_remove(b.let_in_by, m.id), m.id) as "invitedBy"
    from ${sql.table(maker.by)} b join members m on m.id = b.member_id
    where b.id = ${maker.id} and m.role = ${maker.role} for share`.execute(db.kysely);
  return result.rows[0]?.invitedBy;
}

/** Replaces a member's link. */
export async function putSignInLink(
  db: Database,
  link: NewSignInLink,
): Promise<{ expiresAt: Date } | "missing" | "outranked"> {
  const { organizationId, memberId, secretHash, validMs, managesOwners, invitedBy } = link;
  const result = await sql<{ expiresAt: Date }>`
    insert into sign_in_links (member_id, organization_id, secret_hash, expires_at, let_in_by)
    select id, organization_id, ${secretHash}::bytea, clock_timestamp() + ${validMs} * interval '1 millisecond',
      ${[...invitedBy]}::text[]
    from members where id = ${memberId} and organization_id = ${organizationId}
      and (${managesOwners} or role <> 'owner') for share
    on conflict (member_id) do update set secret_hash = excluded.secret_hash, expires_at = excluded.expires_at,
      created_at = clock_timestamp(), let_in_by = excluded.let_in_by
    returning expires_at as "expiresAt"`.execute(db.kysely);
  const [row] = result.rows;
  if (row !== undefined) return row;
  const known = await sql`select 1 from members
    where id = ${memberId} and organization_id = ${organizationId}`.execute(db.kysely);
  return known.rows.length === 0 ? "missing" : "outranked";
}

export interface TakenSignInLink {
  readonly organizationId: string;
  readonly memberId: string;
  readonly invitedBy: string[];
}

/** Takes the link that this secret opens; only one call gets it (unique index on secret_hash). */
export async function takeSignInLinkIfValid(db: Database, secretHash: Buffer): Promise<TakenSignInLink | undefined> {
  const result = await sql<TakenSignInLink>`
    delete from sign_in_links l using organizations o
    where l.secret_hash = ${secretHash} and l.expires_at > clock_timestamp()
      and o.id = l.organization_id and o.deleted_at is null
    returning l.organization_id as "organizationId", l.member_id as "memberId",
      l.let_in_by as "invitedBy"`.execute(db.kysely);
  return result.rows[0];
}

/** Deletes expired sign-ins and links (the indexes by expiry). Returns how many. */
export async function purgeSignIns(db: Database, limit: number): Promise<number> {
  const expired = [
    ["sign_ins", "id"],
    ["sign_in_links", "member_id"],
    ["key_sign_in_links", "api_key_id"],
  ] as const;
  let deleted = 0;
  for (const [table, id] of expired) {
    const result = await sql`delete from ${sql.table(table)} where ${sql.ref(id)} = any (array(
      select ${sql.ref(id)} from ${sql.table(table)} where expires_at < clock_timestamp()
      order by expires_at limit ${limit} for update skip locked))`.execute(db.kysely);
    deleted += Number(result.numAffectedRows ?? 0);
  }
  return deleted;
}
