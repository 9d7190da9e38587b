// Credentials: sealed values by name. This file never opens them.

import { sql } from "kysely";
import { withTransaction, type Database } from "../../database.ts";
import { listNewestFirst, type ListPage, type Page } from "../context/page.ts";

export interface CredentialRow {
  readonly id: string;
  readonly name: string;
  /** Hosts for which the proxy inserts the value in place of a placeholder; null: agents get the value. */
  readonly hosts: string[] | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/**
 * Stores a value under its name. Absent hosts stay unchanged. `created` is false if it replaced a value. Returns
 * undefined if the organization has `max` others. Locks the organization's row, so calls of one organization run one
 * after the other.
 */
export async function putCredentialIfBelow(
  db: Database,
  credential: {
    id: string;
    organizationId: string;
    name: string;
    sealed: Buffer;
    hosts?: string[] | null | undefined;
  },
  max: number,
): Promise<{ id: string; created: boolean; hosts: string[] | null } | undefined> {
  return withTransaction(db, async (tx) => {
    await sql`select 1 from organizations where id = ${credential.organizationId} for no key update`.execute(tx);
    const replaced = await tx
      .updateTable("credentials")
      .set({
        sealed: credential.sealed,
        updated_at: sql<Date>`clock_timestamp()`,
        ...(credential.hosts === undefined ? {} : { hosts: credential.hosts }),
      })
      .where("organization_id", "=", credential.organizationId)
      .where("name", "=", credential.name)
      .returning(["id", "hosts"])
      .executeTakeFirst();
    if (replaced !== undefined) return { ...replaced, created: false };
    const { count } = await tx
      .selectFrom("credentials")
      .where("organization_id", "=", credential.organizationId)
      .select((eb) => eb.fn.countAll<number>().as("count"))
      .executeTakeFirstOrThrow();
    if (count >= max) return undefined;
    await tx
      .insertInto("credentials")
      .values({
        id: credential.id,
        organization_id: credential.organizationId,
        name: credential.name,
        sealed: credential.sealed,
        hosts: credential.hosts ?? null,
      })
      .execute();
    return { id: credential.id, created: true, hosts: credential.hosts ?? null };
  });
}

/**
 * Lists credentials, newest first (index credentials (organization_id, name); an organization has a few hundred at
 * most).
 */
export function listCredentials(
  db: Database,
  organizationId: string,
  page: Page,
): Promise<ListPage<CredentialRow> | undefined> {
  const query = db.kysely
    .selectFrom("credentials")
    .where("organization_id", "=", organizationId)
    .select(["id", "name", "hosts", "created_at as createdAt", "updated_at as updatedAt"]);
  return listNewestFirst(db, { table: "credentials", organizationId, page }, query);
}

/** Returns those of the names that have a value (unique index on organization_id, name). */
export async function listKnownNames(
  db: Database,
  organizationId: string,
  names: readonly string[],
): Promise<Set<string>> {
  if (names.length === 0) return new Set();
  const rows = await db.kysely
    .selectFrom("credentials")
    .where("organization_id", "=", organizationId)
    .where("name", "in", names)
    .select("name")
    .execute();
  return new Set(rows.map((row) => row.name));
}

/** Returns the deleted credential's id, or undefined (unique index on organization_id, name). */
export async function deleteCredential(
  db: Database,
  organizationId: string,
  name: string,
): Promise<string | undefined> {
  const row = await db.kysely
    .deleteFrom("credentials")
    .where("organization_id", "=", organizationId)
    .where("name", "=", name)
    .returning("id")
    .executeTakeFirst();
  return row?.id;
}
