// Who may make, change and remove owners: owners, and the organization's own admin keys that no mere admin has made.

import type { Actor } from "@dari/control/context";
import type { MemberRefusal } from "@dari/db";
import { AppError, notFound } from "@dari/domain";

/** Of an actor that has the scope `admin`. */
export function managesOwners(actor: Actor): boolean {
  return actor.managesOwners ?? true;
}

export function outranked(): AppError {
  return new AppError("forbidden", "only owners can add, change or remove owners, or create their sign-in links");
}

/** A refused change of a member in words. */
export function refusedChange(refusal: MemberRefusal): AppError {
  if (refusal === "missing") return notFound("member");
  if (refusal === "outranked") return outranked();
  return new AppError("conflict", "this is the last owner; make another member an owner first");
}
