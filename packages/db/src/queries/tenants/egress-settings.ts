// The network rules of an organization's agents. Workers read them with their claims (turn_details).

import type { EgressSetting } from "@dari/domain";
import { sql } from "kysely";
import type { Database } from "../../database.ts";

export type EgressSetter = "organization" | "operator";

export interface EgressSettingRow extends EgressSetting {
  readonly setBy: EgressSetter;
  readonly updatedAt: Date;
}

/** Returns at most two (primary key). */
export async function listEgressSettings(db: Database, organizationId: string): Promise<EgressSettingRow[]> {
  const result = await sql<EgressSettingRow>`select set_by as "setBy", mode, hosts, updated_at as "updatedAt"
    from egress_settings where organization_id = ${organizationId}`.execute(db.kysely);
  return result.rows;
}

/** Replaces the rules with the same `setBy`. Returns false if there is no such organization (primary keys). */
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

/** Returns false if there were no such rules. */
export async function deleteEgressSetting(db: Database, organizationId: string, setBy: EgressSetter): Promise<boolean> {
  const result = await sql`delete from egress_settings where organization_id = ${organizationId}
    and set_by = ${setBy}`.execute(db.kysely);
  return result.numAffectedRows === 1n;
}
