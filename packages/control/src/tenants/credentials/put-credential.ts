// Stores a secret under its name, sealed. The value goes no further than this file.

import type { CredentialPut } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { credentials } from "@dari/db";
import { AppError, invalidField, limits, newId } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";

/** A value that a header can hold. */
const headerValue = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;

/**
 * `hosts`: where the value is put in for the placeholder that agents are given; null: agents are given the value;
 * absent: as before.
 * @throws AppError `invalid` where it is to be put in and no header can hold it; `conflict` when the organization has
 * as many as it may.
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
