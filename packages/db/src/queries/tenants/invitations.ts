// Invitations of people who are not members yet. Their secrets are stored only as hashes.

import { sql } from "kysely";
import type { Database } from "../../database.ts";
import { toPage, type ListPage, type Page } from "../context/page.ts";

export interface InvitationRow {
  readonly id: string;
  readonly email: string;
  readonly role: string;
  readonly expiresAt: Date;
  readonly createdAt: Date;
}

const columns = sql`id, email, role, expires_at as "expiresAt", created_at as "createdAt"`;

export interface NewInvitation {
  readonly id: string;
  readonly organizationId: string;
  readonly email: string;
  readonly role: string;
  readonly secretHash: Buffer;
  readonly validMs: number;
  /** The invitation ends with these members. */
  readonly invitedBy?: readonly string[] | undefined;
}

/**
 * Inserts an invitation, or gives an existing one its new role and a new secret. Concurrent calls can exceed `most`
 * slightly. Both tables are unique on (organization_id, email).
 */
export async function putInvitationUnlessMember(
  db: Database,
  invitation: NewInvitation,
  most: number,
): Promise<InvitationRow | "member" | "full" | "missing"> {
  const { id, organizationId, email, role, secretHash, validMs, invitedBy = [] } = invitation;
  const expiresAt = sql`clock_timestamp() + ${validMs} * interval '1 millisecond'`;
  const result = await sql<InvitationRow>`
    insert into invitations (id, organization_id, email, role, secret_hash, expires_at, let_in_by)
    select ${id}, o.id, ${email}, ${role}, ${secretHash}::bytea, ${expiresAt}, ${[...invitedBy]}::text[]
    from organizations o
    where o.id = ${organizationId} and o.deleted_at is null
      and not exists (select 1 from members m where m.organization_id = o.id and m.email = ${email})
      and (exists (select 1 from invitations i where i.organization_id = o.id and i.email = ${email})
        or (select count(*) from invitations i where i.organization_id = o.id) < ${most})
    on conflict (organization_id, email) do update
      set role = excluded.role, secret_hash = excluded.secret_hash, expires_at = excluded.expires_at,
        let_in_by = excluded.let_in_by
    returning ${columns}`.execute(db.kysely);
  const [row] = result.rows;
  if (row !== undefined) return row;
  const why = await sql<{ known: boolean; member: boolean }>`select
    exists (select 1 from organizations where id = ${organizationId} and deleted_at is null) as known,
    exists (select 1 from members where organization_id = ${organizationId} and email = ${email}) as member`.execute(
    db.kysely,
  );
  if (why.rows[0]?.known !== true) return "missing";
  return why.rows[0].member ? "member" : "full";
}

/** Finds an invitation by primary key. */
export async function findInvitation(
  db: Database,
  organizationId: string,
  invitationId: string,
): Promise<InvitationRow | undefined> {
  const result = await sql<InvitationRow>`select ${columns} from invitations
    where id = ${invitationId} and organization_id = ${organizationId}`.execute(db.kysely);
  return result.rows[0];
}

/** Lists invitations in the order of their creation (unique index on organization_id, email). */
export async function listInvitations(
  db: Database,
  organizationId: string,
  page: Page,
): Promise<ListPage<InvitationRow> | undefined> {
  if (page.after !== undefined && (await findInvitation(db, organizationId, page.after)) === undefined)
    return undefined;
  const result = await sql<InvitationRow>`select ${columns} from invitations
    where organization_id = ${organizationId} and id > ${page.after ?? ""}
    order by id limit ${page.limit + 1}`.execute(db.kysely);
  return toPage(result.rows, page);
}

/** Returns false if there is none. */
export async function deleteInvitation(db: Database, organizationId: string, invitationId: string): Promise<boolean> {
  const result = await sql`delete from invitations
    where id = ${invitationId} and organization_id = ${organizationId}`.execute(db.kysely);
  return result.numAffectedRows === 1n;
}

export interface TakenInvitation {
  readonly id: string;
  readonly organizationId: string;
  readonly email: string;
  readonly role: string;
}

/** Takes the invitation that this secret opens; only one call gets it (unique index on secret_hash). */
export async function takeInvitationIfValid(db: Database, secretHash: Buffer): Promise<TakenInvitation | undefined> {
  const result = await sql<TakenInvitation>`delete from invitations i using organizations o
    where i.secret_hash = ${secretHash} and i.expires_at > clock_timestamp()
      and o.id = i.organization_id and o.deleted_at is null
    returning i.id, i.organization_id as "organizationId", i.email, i.role`.execute(db.kysely);
  return result.rows[0];
}

/** Deletes invitations that expired `afterMs` ago (index invitations_by_expiry). Returns how many. */
export async function purgeInvitations(db: Database, afterMs: number, limit: number): Promise<number> {
  const result = await sql`delete from invitations where id = any (array(select id from invitations
    where expires_at < clock_timestamp() - ${afterMs} * interval '1 millisecond'
    order by expires_at limit ${limit} for update skip locked))`.execute(db.kysely);
  return Number(result.numAffectedRows ?? 0);
}
