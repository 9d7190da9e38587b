// With whom ends what a person makes for others: an invitation, or a link that signs in.

import type { Actor, Control } from "@dari/control/context";
import { signIns } from "@dari/db";
import { AppError } from "@dari/domain";

/**
 * Members, on whose removal or lower role it ends; none where no person makes it. Within a transaction.
 * @throws AppError `forbidden` when the person's role, or what the person calls by, has changed since the call came.
 */
export async function letInBy(inside: Control, actor: Actor): Promise<readonly string[]> {
  const { person, keyId, signInMethod } = actor;
  if (person === undefined) return [];
  const by = signInMethod === undefined ? "api_keys" : "sign_ins";
  const members = await signIns.holdMaker(inside.db, { by, id: keyId, role: person.role });
  if (members === undefined) throw new AppError("forbidden", "your role or your sign-in has just changed: call again");
  return members;
}
