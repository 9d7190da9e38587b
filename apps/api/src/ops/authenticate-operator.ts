// Authorizes access to the operators' pages: by a key in the header, or by the cookie of a sign-in here or to the
// console. Browsers send cookies with requests of any site, so a request that changes something must come from our own
// pages.

import type { Actor, Control } from "@dari/control/context";
import { authenticateKey, requireOperator } from "@dari/control/tenants";
import type { Request, Response } from "express";
import { readBearerToken } from "../http/bearer.ts";
import { requireSameOrigin } from "../http/same-origin.ts";
import { authenticateRequest } from "../http/authenticate-request.ts";
import { readOpsCookies } from "./session.ts";

/** @throws AppError `unauthenticated`; `forbidden` if the key is not an operator's. */
export async function authenticateOperatorKey(control: Control, key: string | undefined): Promise<Actor> {
  const actor = await authenticateKey(control, key);
  await requireOperator(control, actor);
  return actor;
}

/** @throws AppError as `authenticateOperatorKey`; `forbidden` if another site sends the cookie to change something. */
export async function authenticateOperator(control: Control, request: Request): Promise<Actor> {
  if (request.get("authorization") !== undefined) return authenticateOperatorKey(control, readBearerToken(request));
  const actor = await readOpsCookies(control, request.get("cookie"));
  if (actor === undefined) return operatorOfPerson(control, request);
  if (request.method !== "GET" && request.method !== "HEAD") requireSameOrigin(control, request);
  return actor;
}

/** Authorizes a person who is signed in to the console. */
async function operatorOfPerson(control: Control, request: Request): Promise<Actor> {
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
