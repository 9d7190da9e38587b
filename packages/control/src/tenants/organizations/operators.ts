// Operators: admin keys of an organization that administers the installation.

import type { Actor, Control } from "@dari/control/context";
import { organizations } from "@dari/db";
import { AppError } from "@dari/domain";

/** Reads the row on each call, so that the right can be revoked by changing it. */
export async function isOperator(control: Control, actor: Actor): Promise<boolean> {
  if (!actor.scopes.includes("admin")) return false;
  return (await organizations.findOrganization(control.db, actor.organizationId))?.isOperator ?? false;
}

/** @throws AppError `forbidden` */
export async function requireOperator(control: Control, actor: Actor): Promise<void> {
  if (await isOperator(control, actor)) return;
  throw new AppError(
    "forbidden",
    "only operators can do this; use an admin key of the organization that runs the platform",
  );
}
