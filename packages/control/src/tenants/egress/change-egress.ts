// Sets and deletes the network rules of an organization's agents. They apply to turns that start later.

import type { EgressRecord, PutEgressRequest } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { egressSettings, type EgressSetter } from "@dari/db";
import { invalidField, notFound } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";
import { isOperator } from "../organizations/operators.ts";
import { getEgress } from "./get-egress.ts";

/**
 * Operators set the organization's upper limit, its admins the rules within it.
 * @throws AppError `invalid` for hosts without `allow`, or `allow` without hosts; `not_found`
 */
export async function putEgress(
  control: Control,
  actor: Actor,
  organizationId: string,
  { mode, hosts: written = [] }: PutEgressRequest,
): Promise<EgressRecord> {
  if (mode === "allow" && written.length === 0)
    throw invalidField("hosts", "expected at least one host; to allow none, use mode 'off'");
  if (mode !== "allow" && written.length > 0)
    throw invalidField("hosts", "expected no hosts: only mode 'allow' has hosts");
  const hosts = [...new Set(written.map((host) => host.toLowerCase()))];
  const setBy = await setterOf(control, actor);
  return withAuditEntry(
    control,
    actor,
    async (inside) => {
      const setting = { mode, hosts };
      const isThere = await egressSettings.putEgressSettingIfThere(inside.db, organizationId, setBy, setting);
      if (!isThere) throw notFound("organization");
      return getEgress(inside, organizationId);
    },
    () => {
      const details = { set_by: setBy, mode, hosts };
      return { action: "egress.put", target: organizationId, organizationId, details };
    },
  );
}

/** Does nothing if no rules are set. */
export async function deleteEgress(control: Control, actor: Actor, organizationId: string): Promise<EgressRecord> {
  const setBy = await setterOf(control, actor);
  await withAuditEntry(
    control,
    actor,
    (inside) => egressSettings.deleteEgressSetting(inside.db, organizationId, setBy),
    (isDeleted) =>
      isDeleted
        ? { action: "egress.delete", target: organizationId, organizationId, details: { set_by: setBy } }
        : undefined,
  );
  return getEgress(control, organizationId);
}

async function setterOf(control: Control, actor: Actor): Promise<EgressSetter> {
  return (await isOperator(control, actor)) ? "operator" : "organization";
}
