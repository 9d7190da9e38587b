// Stores a secret under its name, sealed. No other file sees the value.

import type { CredentialPut } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { credentials } from "@dari/db";
import { AppError, invalidField, limits, newId } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";

/** Values that a header can contain. */
const headerValue = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;

/**
 * `hosts`: where the proxy inserts the value for the agents' placeholder. Null: agents get the value itself. Absent:
 * unchanged.
 * @throws AppError `invalid` if it is to be inserted and no header can contain it; `conflict` if the organization has
 *   its maximum of credentials.
 */
export async function putCredential(
  control: Control,
  actor: Actor,
  input: { name: string; value: string; hosts?: readonly string[] | null | undefined },
): Promise<CredentialPut> {
  const { organizationId } = actor;
  const { name } = input;
  const credential = {
    id: newId("credential"),
    organizationId,
    name,
    hosts: input.hosts && [...new Set(input.hosts.map((host) => host.toLowerCase()))],
    sealed: control.sealer.seal(input.value, { organizationId, name }),
  };
  const stored = await withAuditEntry(
    control,
    actor,
    async (inside) => {
      const put = await credentials.putCredentialIfBelow(inside.db, credential, limits.credentialsPerOrganization);
      if (put !== undefined && put.hosts !== null && !headerValue.test(input.value)) {
        throw invalidField("value", "expected printable ASCII on one line, because the value is sent in HTTP headers");
      }
      return put;
    },
    (put) =>
      put === undefined
        ? undefined
        : { action: "credential.put", target: put.id, details: { name, created: put.created, hosts: put.hosts } },
  );
  if (stored === undefined) {
    const most = limits.credentialsPerOrganization;
    throw new AppError("conflict", `limit reached: ${most} credentials per organization; delete one first`);
  }
  return { id: stored.id, name, created: stored.created, hosts: stored.hosts };
}
