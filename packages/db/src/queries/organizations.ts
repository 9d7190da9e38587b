// Organizations: the tenants that own everything else.

import type { Database } from "../database.ts";

export interface OrganizationRow {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly createdAt: Date;
}

const columns = ["id", "name", "slug", "created_at as createdAt"] as const;

/** Inserts an organization, or answers undefined when its slug is taken (unique index on slug). */
export async function insertOrganizationIfSlugFree(
  db: Database,
  organization: { id: string; name: string; slug: string },
): Promise<OrganizationRow | undefined> {
  return db.kysely
    .insertInto("organizations")
    .values(organization)
    .onConflict((conflict) => conflict.column("slug").doNothing())
    .returning(columns)
    .executeTakeFirst();
}

/** By primary key. */
export async function findOrganization(db: Database, organizationId: string): Promise<OrganizationRow | undefined> {
  return db.kysely.selectFrom("organizations").where("id", "=", organizationId).select(columns).executeTakeFirst();
}

/** The oldest organization of the installation: the one that a fresh platform made for itself (at most a few rows). */
export async function findFirstOrganization(db: Database): Promise<OrganizationRow | undefined> {
  return db.kysely.selectFrom("organizations").select(columns).orderBy("id").limit(1).executeTakeFirst();
}
