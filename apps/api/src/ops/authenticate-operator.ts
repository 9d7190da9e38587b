// Authorizes access to the operators' pages: by a key in the header, or by the cookie of a sign-in to the console.

import type { Actor, Control } from "@dari/control/context";
import { requireOperator } from "@dari/control/tenants";
import type { Request, Response } from "express";
import { authenticateRequest } from "../http/authenticate-request.ts";

/**
 * @throws AppError `unauthenticated`; `forbidden` if the caller is not an operator, or another site sends the cookie to
 *   change something.
 */
export async function authenticateOperator(control: Control, request: Request): Promise<Actor> {
  const actor = await authenticateRequest(control, request);
  await requireOperator(control, actor);
  return actor;
}

/** Restricts the operators' pages: nothing from other hosts, no framing. */
export function setPageSecurityHeaders(response: Response): void {
  response.set({
    "content-security-policy":
      "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; " +
      "base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
  });
}
