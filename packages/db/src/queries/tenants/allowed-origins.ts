// From which origins browsers can use the tokens of an organization's sessions.

import { sql } from "kysely";
import type { Database } from "../../database.ts";

/** Returns the origins (primary key); empty if none were set. */
export async function listAllowedOrigins(db: Database, organizationId: string): Promise<string[]> {
  const row = await db.kysely
    .selectFrom("allowed_origins")
    .where("organization_id", "=", organizationId)
    .select("origins")
    .executeTakeFirst();
  return row?.origins ?? [];
}

/** Replaces the origins. Returns false if there is no such organization (primary keys). */
export async function putAllowedOriginsIfThere(
  db: Database,
  organizationId: string,
  origins: readonly string[],
): Promise<boolean> {
  const result = await sql`insert into allowed_origins (organization_id, origins)
    select id, ${origins}::text[] from organizations where id = ${organizationId} and deleted_at is null
    on conflict (organization_id) do update
      set origins = excluded.origins, updated_at = clock_timestamp()`.execute(db.kysely);
  return result.numAffectedRows === 1n;
}
