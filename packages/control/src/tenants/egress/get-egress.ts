// Reads the network rules of an organization's agents.

import type { EgressRecord } from "@dari/contract";
import type { Control } from "@dari/control/context";
import { egressSettings, type EgressSettingRow } from "@dari/db";

export async function getEgress(control: Control, organizationId: string): Promise<EgressRecord> {
  const rows = await egressSettings.listEgressSettings(control.db, organizationId);
  const render = (row: EgressSettingRow | undefined): EgressRecord["organization"] =>
    row === undefined ? null : { mode: row.mode, hosts: [...row.hosts], updated_at: row.updatedAt.toISOString() };
  return {
    organization: render(rows.find(({ setBy }) => setBy === "organization")),
    operator: render(rows.find(({ setBy }) => setBy === "operator")),
  };
}
