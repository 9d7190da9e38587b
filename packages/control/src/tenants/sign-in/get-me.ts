// The current caller, and signing out.

import type { ApiKeyScope, Me, SignedOut } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { apiKeys, members, organizations, signIns } from "@dari/db";
import { AppError, requireFound } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";
import { unauthenticated } from "../keys/authenticate.ts";
import { renderMember, renderOrganization } from "../views/organization.ts";

/** @throws AppError `unauthenticated` if the person has just been removed. */
export async function getMe(control: Control, actor: Actor): Promise<Me> {
  const { organizationId, person } = actor;
  const [organization, member] = await Promise.all([
    organizations.findOrganization(control.db, organizationId),
    person === undefined ? undefined : members.findMember(control.db, organizationId, person.memberId),
  ]);
  if (person !== undefined && member === undefined) throw unauthenticated();
  return {
    method: actor.signInMethod ?? "key",
    scopes: [...actor.scopes] as ApiKeyScope[],
    organization: renderOrganization(requireFound(organization, "organization"), actor),
    member: member === undefined ? null : renderMember(member),
  };
}

/**
 * Ends the browser's sign-in, or revokes the key of the person's device, that the call is made with.
 * @throws AppError `conflict` for the organization's own key, which others may use too.
 */
export async function signOut(control: Control, actor: Actor): Promise<SignedOut> {
  const { organizationId, keyId, person, signInMethod, keySignInId } = actor;
  if (keySignInId !== undefined) {
    await withAuditEntry(
      control,
      actor,
      (inside) => signIns.deleteSignIn(inside.db, organizationId, keySignInId),
      (ended) => (ended ? { action: "api_key.sign_out", target: keyId } : undefined),
    );
    return { signed_out: true };
  }
  if (person === undefined) {
    throw new AppError("conflict", "this is a key of the organization, not of a sign-in; an admin can revoke it");
  }
  await withAuditEntry(
    control,
    actor,
    (inside) =>
      signInMethod === undefined
        ? apiKeys.revokeApiKeyIfLive(inside.db, organizationId, keyId)
        : signIns.deleteSignIn(inside.db, organizationId, keyId),
    (ended) => (ended ? { action: "member.sign_out", target: person.memberId } : undefined),
  );
  return { signed_out: true };
}
