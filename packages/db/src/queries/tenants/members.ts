// Members of an organization: their roles, and how they leave.

import { sql, type Transaction } from "kysely";
import { withTransaction, type Database } from "../../database.ts";
import type { DB } from "../../generated/schema.ts";
import { toPage, type ListPage, type Page } from "../context/page.ts";

export interface MemberRow {
  readonly id: string;
  readonly email: string;
  readonly role: string;
  readonly lastSignedInAt: Date | null;
  readonly createdAt: Date;
}

const memberColumns = sql`id, email, role, last_signed_in_at as "lastSignedInAt", created_at as "createdAt"`;

/** Returns undefined if the address already belongs to a member (unique index on organization_id, email). */
export async function insertMemberIfNew(
  db: Database,
  member: { id: string; organizationId: string; email: string; role: string },
): Promise<MemberRow | undefined> {
  const result = await sql<MemberRow>`insert into members (id, organization_id, email, role)
    values (${member.id}, ${member.organizationId}, ${member.email}, ${member.role})
    on conflict (organization_id, email) do nothing returning ${memberColumns}`.execute(db.kysely);
  return result.rows[0];
}

/** Lists members in the order in which they joined (unique index on organization_id, email). */
export async function listMembers(
  db: Database,
  organizationId: string,
  page: Page,
): Promise<ListPage<MemberRow> | undefined> {
  if (page.after !== undefined && (await findMember(db, organizationId, page.after)) === undefined) return undefined;
  const result = await sql<MemberRow>`select ${memberColumns} from members
    where organization_id = ${organizationId} and id > ${page.after ?? ""}
    order by id limit ${page.limit + 1}`.execute(db.kysely);
  return toPage(result.rows, page);
}

/** Finds a member by primary key. */
export async function findMember(
  db: Database,
  organizationId: string,
  memberId: string,
): Promise<MemberRow | undefined> {
  const result = await sql<MemberRow>`select ${memberColumns} from members
    where id = ${memberId} and organization_id = ${organizationId}`.execute(db.kysely);
  return result.rows[0];
}

export interface MemberChange {
  readonly organizationId: string;
  readonly memberId: string;
  /** Whether the caller may create, change and remove owners. */
  readonly managesOwners: boolean;
}

/** Why a change was refused. `outranked`: it concerns an owner, and the caller is not one. */
export type MemberRefusal = "missing" | "outranked" | "last_owner";

export interface RoleChanged {
  readonly before: string;
  readonly after: MemberRow;
}

/**
 * Sets a role, unless the last owner would lose its own. Invalidates the member's sign-in links. One change of an
 * organization's owners at a time.
 */
export async function setMemberRoleUnlessLastOwner(
  db: Database,
  change: MemberChange & { readonly role: string },
): Promise<RoleChanged | MemberRefusal> {
  return withTransaction(db, async (tx) => {
    await lockOwners(tx, change.organizationId);
    const found = await roleOf(tx, change);
    const result = await sql<MemberRow>`update members m set role = ${change.role} where ${mayChange(change)}
      and (${change.managesOwners} or ${change.role} <> 'owner')
      and (${change.role} = 'owner' or ${anotherOwner})
      returning ${memberColumns}`.execute(tx);
    const [after] = result.rows;
    // An older link may be held by someone who may not sign in as an owner.
    if (after !== undefined) await sql`delete from sign_in_links where member_id = ${change.memberId}`.execute(tx);
    if (after !== undefined && found !== undefined) return { before: found, after };
    const isAboutOwners = found === "owner" || change.role === "owner";
    return refusalOf(found, isAboutOwners && !change.managesOwners);
  });
}

/** Removes a member, unless it is the last owner. Sign-ins, links and device keys are removed with the row. */
export async function deleteMemberUnlessLastOwner(
  db: Database,
  change: MemberChange,
): Promise<MemberRow | MemberRefusal> {
  return withTransaction(db, async (tx) => {
    await lockOwners(tx, change.organizationId);
    const found = await roleOf(tx, change);
    const result = await sql<MemberRow>`delete from members m where ${mayChange(change)} and ${anotherOwner}
      returning ${memberColumns}`.execute(tx);
    return result.rows[0] ?? refusalOf(found, found === "owner" && !change.managesOwners);
  });
}

/** Locks the owners. Otherwise two owners could remove each other at the same time. */
async function lockOwners(tx: Transaction<DB>, organizationId: string): Promise<void> {
  await sql`select 1 from organizations where id = ${organizationId} for no key update`.execute(tx);
}

function mayChange({ organizationId, memberId, managesOwners }: MemberChange) {
  return sql<boolean>`m.id = ${memberId} and m.organization_id = ${organizationId}
    and (${managesOwners} or m.role <> 'owner')`;
}

const anotherOwner = sql<boolean>`(m.role <> 'owner' or exists (select 1 from members o
  where o.organization_id = m.organization_id and o.role = 'owner' and o.id <> m.id))`;

async function roleOf(tx: Transaction<DB>, { organizationId, memberId }: MemberChange): Promise<string | undefined> {
  const result = await sql<{ role: string }>`select role from members
    where id = ${memberId} and organization_id = ${organizationId}`.execute(tx);
  return result.rows[0]?.role;
}

function refusalOf(role: string | undefined, outranked: boolean): MemberRefusal {
  if (role === undefined) return "missing";
  return outranked ? "outranked" : "last_owner";
}

export interface VerifiedPerson {
  readonly issuer: string;
  readonly subject: string;
  /** In lower case, and verified to be the person's. */
  readonly email: string;
}

export interface Membership {
  readonly id: string;
  readonly organizationId: string;
  /** Whether this subject has signed in to it before. Otherwise only the address matches. */
  readonly isBound: boolean;
}

/**
 * Returns the memberships of a person whom the identity provider has verified: by subject, the last used first, then by
 * address if no subject of this provider has taken it, because anyone can create such members (indexes
 * members_by_subject, members_by_email). `organizationId`: only there. At most 100.
 */
export async function listMembershipsOf(
  db: Database,
  person: VerifiedPerson,
  organizationId?: string,
): Promise<Membership[]> {
  const { issuer, subject, email } = person;
  const result = await sql<Membership>`
    select m.id, m.organization_id as "organizationId", m.issuer is not distinct from ${issuer} as "isBound"
    from members m join organizations o on o.id = m.organization_id
    where o.deleted_at is null and o.id = coalesce(${organizationId ?? null}, o.id)
      and ((m.issuer = ${issuer} and m.subject = ${subject})
      or (m.email = ${email} and m.issuer is distinct from ${issuer}))
    order by "isBound" desc, m.last_signed_in_at desc nulls last, m.id limit 100`.execute(db.kysely);
  return result.rows;
}

/** Binds the membership to this subject. Returns false if another subject of the provider has it. */
export async function bindMemberToSubjectIfFree(
  db: Database,
  memberId: string,
  person: VerifiedPerson,
): Promise<boolean> {
  const result = await sql`update members set issuer = ${person.issuer}, subject = ${person.subject}
    where id = ${memberId} and (issuer is distinct from ${person.issuer} or subject = ${person.subject})`.execute(
    db.kysely,
  );
  return result.numAffectedRows === 1n;
}
