// Finds the operator that signed in with a key earlier, and checks that it still is one.

import type { Role } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { apiKeys, members } from "@dari/db";
import { intersectScopes } from "../members/intersect-scopes.ts";
import { isOperator } from "../organizations/operators.ts";

/**
 * Returns undefined if the key was revoked or has expired, its person is no longer an admin, or its organization no
 * longer administers the installation.
 */
export async function resumeOperator(
  control: Control,
  signedIn: { readonly organizationId: string; readonly keyId: string },
): Promise<Actor | undefined> {
  const { organizationId, keyId } = signedIn;
  const [key, usable] = await Promise.all([
    apiKeys.findApiKey(control.db, organizationId, keyId),
    apiKeys.listUsableKeyIds(control.db, [keyId]),
  ]);
  if (key === undefined || !usable.has(keyId)) return undefined;
  const scopes = await scopesOf(control, organizationId, key);
  const actor = { organizationId, keyId, scopes };
  return (await isOperator(control, actor)) ? actor : undefined;
}

/** Returns the key's current scopes: for a person's key, at most those of the role. */
async function scopesOf(
  control: Control,
  organizationId: string,
  { scopes, memberId }: { readonly scopes: readonly string[]; readonly memberId: string | null },
): Promise<readonly string[]> {
  if (memberId === null) return scopes;
  const member = await members.findMember(control.db, organizationId, memberId);
  return member === undefined ? [] : intersectScopes(member.role as Role, scopes);
}
