// Members of an organization, and the invitations of those who are not yet.

import type { Database } from "../database.ts";
import { toPage, type Listed, type Page } from "./page.ts";

export interface MemberRow {
  readonly id: string;
  readonly email: string;
  readonly role: string;
  readonly createdAt: Date;
}

const columns = ["id", "email", "role", "created_at as createdAt"] as const;

export async function insertMember(
  db: Database,
  member: { id: string; organizationId: string; email: string; role: string },
): Promise<MemberRow> {
  return db.kysely
    .insertInto("members")
    .values({ id: member.id, organization_id: member.organizationId, email: member.email, role: member.role })
    .returning(columns)
    .executeTakeFirstOrThrow();
}

/** In the order in which they joined (unique index on organization_id, email). */
export async function listMembers(
  db: Database,
  organizationId: string,
  page: Page,
): Promise<Listed<MemberRow> | undefined> {
  let query = db.kysely.selectFrom("members").where("organization_id", "=", organizationId);
  if (page.after !== undefined) {
    const known = await query.where("id", "=", page.after).select("id").executeTakeFirst();
    if (known === undefined) return undefined;
    query = query.where("id", ">", page.after);
  }
  const rows = await query
    .select(columns)
    .orderBy("id")
    .limit(page.limit + 1)
    .execute();
  return toPage(rows, page);
}

/**
 * Records an invitation, or gives a standing one its new role; undefined when the address is a member's already.
 * Both tables are unique on (organization_id, email).
 */
export async function putInvitationUnlessMember(
  db: Database,
  invitation: { id: string; organizationId: string; email: string; role: string },
): Promise<MemberRow | undefined> {
  return db.kysely
    .insertInto("invitations")
    .columns(["id", "organization_id", "email", "role"])
    .expression((eb) =>
      eb
        .selectFrom("organizations as o")
        .where("o.id", "=", invitation.organizationId)
        .where((where) =>
          where.not(
            where.exists(
              where
                .selectFrom("members as m")
                .where("m.organization_id", "=", invitation.organizationId)
                .where("m.email", "=", invitation.email)
                .select("m.id"),
            ),
          ),
        )
        .select((select) => [
          select.val(invitation.id).as("id"),
          "o.id as organization_id",
          select.val(invitation.email).as("email"),
          select.val(invitation.role).as("role"),
        ]),
    )
    .onConflict((conflict) => conflict.columns(["organization_id", "email"]).doUpdateSet({ role: invitation.role }))
    .returning(columns)
    .executeTakeFirst();
}

/** By primary key. */
export async function findInvitation(
  db: Database,
  organizationId: string,
  invitationId: string,
): Promise<MemberRow | undefined> {
  return db.kysely
    .selectFrom("invitations")
    .where("id", "=", invitationId)
    .where("organization_id", "=", organizationId)
    .select(columns)
    .executeTakeFirst();
}
