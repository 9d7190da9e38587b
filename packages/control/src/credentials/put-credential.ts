// Stores a secret under its name, sealed. The value goes no further than this file.

import type { CredentialPut } from "@dari/contract";
import { credentials } from "@dari/db";
import { AppError, limits, newId } from "@dari/domain";
import type { Actor, Control } from "../context.ts";

/** @throws AppError `conflict` when the organization has as many as it may. */
export async function putCredential(
  control: Control,
  actor: Actor,
  input: { name: string; value: string },
): Promise<CredentialPut> {
  const { organizationId } = actor;
  const stored = await credentials.putCredentialIfBelow(
    control.db,
    {
      id: newId("credential"),
      organizationId,
      name: input.name,
      sealed: control.sealer.seal(input.value, { organizationId, name: input.name }),
    },
    limits.credentialsPerOrganization,
  );
  if (stored === undefined) {
    const most = limits.credentialsPerOrganization;
    throw new AppError("conflict", `an organization has at most ${most} credentials; delete one first`);
  }
  return { id: stored.id, name: input.name, created: stored.created };
}
