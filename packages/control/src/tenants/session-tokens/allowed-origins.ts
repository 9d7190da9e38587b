// From which origins browsers can use the tokens of an organization's sessions.

import type { AllowedOrigins, PutAllowedOriginsRequest } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { allowedOrigins } from "@dari/db";
import { invalidField, notFound } from "@dari/domain";
import { withAuditEntry } from "../audit/record-change.ts";

export async function getAllowedOrigins(control: Control, organizationId: string): Promise<AllowedOrigins> {
  return { origins: await allowedOrigins.listAllowedOrigins(control.db, organizationId) };
}

/**
 * Replaces the origins, in effect from the next call on.
 * @throws AppError `invalid` for an origin that no browser sends, with the form that browsers send; `not_found`
 */
export async function putAllowedOrigins(
  control: Control,
  actor: Actor,
  organizationId: string,
  { origins }: PutAllowedOriginsRequest,
): Promise<AllowedOrigins> {
  for (const [index, origin] of origins.entries()) checkOrigin(origin, `origins[${index}]`);
  const isThere = await withAuditEntry(
    control,
    actor,
    (inside) => allowedOrigins.putAllowedOriginsIfThere(inside.db, organizationId, origins),
    (isPut) =>
      isPut
        ? { action: "allowed_origins.put", target: organizationId, organizationId, details: { origins } }
        : undefined,
  );
  if (!isThere) throw notFound("organization");
  return { origins };
}

/** A request's origin is compared as text, so it must be written as browsers write it. */
function checkOrigin(origin: string, path: string): void {
  const written = URL.canParse(origin) ? new URL(origin).origin : undefined;
  if (written === origin) return;
  throw invalidField(path, written === undefined ? "expected an origin" : `expected '${written}', as browsers send it`);
}
