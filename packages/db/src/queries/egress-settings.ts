// What an organization's agents may connect to. Workers read it with their claims (turn_details).

import type { EgressSetting } from "@dari/domain";
import { sql } from "kysely";
import type { Database } from "../database.ts";

export type EgressSetter = "organization" | "operator";

export interface EgressSettingRow extends EgressSetting {
  readonly setBy: EgressSetter;
  readonly updatedAt: Date;
}

/** Two at most (primary key). */
export async function listEgressSettings(db: Database, organizationId: string): Promise<EgressSettingRow[]> {
  const result = await sql<EgressSettingRow>`select set_by as "setBy", mode, hosts, updated_at as "updatedAt"
    from egress_settings where organization_id = ${organizationId}`.execute(db.kysely);
  return result.rows;
}

/** Replaces what the same have set before. False where there is no such organization (primary keys). */
export async function putEgressSettingIfThere(
  db: Database,
  organizationId: string,
  setBy: EgressSetter,
  { mode, hosts }: EgressSetting,
): Promise<boolean> {
  const result = await sql`insert into egress_settings (organization_id, set_by, mode, hosts)
    select id, ${setBy}, ${mode}, ${hosts}::text[] from organizations
      where id = ${organizationId} and deleted_at is null
    on conflict (organization_id, set_by) do update
      set mode = excluded.mode, hosts = excluded.hosts, updated_at = clock_timestamp()`.execute(db.kysely);
  return result.numAffectedRows === 1n;
}

/** False when they had set nothing. */
export async function deleteEgressSetting(db: Database, organizationId: string, setBy: EgressSetter): Promise<boolean> {
  const result = await sql`delete from egress_settings where organization_id = ${organizationId}
    and set_by = ${setBy}`.execute(db.kysely);
  return result.numAffectedRows === 1n;
}
