// Stores a secret under its name, sealed. The value goes no further than this file.

import type { CredentialPut } from "@dari/contract";
import { credentials } from "@dari/db";
import { AppError, limits, newId } from "@dari/domain";
import { onRecord } from "../audit/record-change.ts";
import type { Actor, Control } from "../context.ts";

/** @throws AppError `conflict` when the organization has as many as it may. */
export async function putCredential(
  control: Control,
  actor: Actor,
  input: { name: string; value: string },
): Promise<CredentialPut> {
  const { organizationId } = actor;
  const { name } = input;
  const credential = {
    id: newId("credential"),
    organizationId,
    name,
    sealed: control.sealer.seal(input.value, { organizationId, name }),
  };
  const stored = await onRecord(
    control,
    actor,
    (inside) => credentials.putCredentialIfBelow(inside.db, credential, limits.credentialsPerOrganization),
    (put) =>
      put === undefined
        ? undefined
        : { action: "credential.put", target: put.id, details: { name, created: put.created } },
  );
  if (stored === undefined) {
    const most = limits.credentialsPerOrganization;
    throw new AppError("conflict", `an organization has at most ${most} credentials; delete one first`);
  }
  return { id: stored.id, name, created: stored.created };
}
