// Finds the members behind an invitation, a sign-in link or a key that a person makes for somebody else.

import type { Actor, Control } from "@dari/control/context";
import { signIns } from "@dari/db";
import { AppError } from "@dari/domain";

/**
 * Returns the members on whose removal or lower role the invitation ends; none if no person makes it. Runs inside a
 * transaction and locks the row of the caller's key or sign-in.
 * @throws AppError `forbidden` when the person's role, or what the person calls by, has changed since the call came.
 */
export async function lockInviters(inside: Control, actor: Actor): Promise<readonly string[]> {
  const { person, keyId, signInMethod } = actor;
  if (person === undefined) return [];
  const by = signInMethod === undefined ? "api_keys" : "sign_ins";
  const members = await signIns.holdMaker(inside.db, { by, id: keyId, role: person.role });
  if (members === undefined)
    throw new AppError("forbidden", "your role or sign-in changed during this request; send it again");
  return members;
}
