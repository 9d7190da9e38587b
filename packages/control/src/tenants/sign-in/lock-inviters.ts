// Finds the members behind an invitation, a sign-in link or a key that a person creates for someone else.

import type { Actor, Control } from "@dari/control/context";
import { signIns } from "@dari/db";
import { AppError } from "@dari/domain";

/**
 * Returns the members whose removal or lower role ends the invitation; none if no person creates it. Runs in a
 * transaction and locks the row of the caller's key or sign-in.
 * @throws AppError `forbidden` if the person's role, key or sign-in has changed since the call arrived.
 */
export async function lockInviters(inside: Control, actor: Actor): Promise<readonly string[]> {
  const { person, keyId, signInMethod } = actor;
  if (person === undefined) return [];
  const by = signInMethod === undefined ? "api_keys" : "sign_ins";
  const members = await signIns.lockInviter(inside.db, { by, id: keyId, role: person.role });
  if (members === undefined)
    throw new AppError("forbidden", "your role or sign-in changed during this request; send it again");
  return members;
}
