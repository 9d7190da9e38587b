// Who can create, change and remove owners: owners, and the organization's own admin keys that were not made by a mere
// admin.

import type { Actor } from "@dari/control/context";
import type { MemberRefusal } from "@dari/db";
import { AppError, notFound } from "@dari/domain";

/** Returns whether an actor with the scope `admin` can change owners. */
export function canManageOwners(actor: Actor): boolean {
  return actor.managesOwners ?? true;
}

export function ownerRequiredError(): AppError {
  return new AppError("forbidden", "only owners can add, change or remove owners, or create their sign-in links");
}

/** Returns the error for a refused change of a member. */
export function toMemberChangeError(refusal: MemberRefusal): AppError {
  if (refusal === "missing") return notFound("member");
  if (refusal === "outranked") return ownerRequiredError();
  return new AppError("conflict", "this is the last owner; make another member an owner first");
}
