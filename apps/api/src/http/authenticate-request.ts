// Authenticates a call: by the key or the session token in its header or, without one, by the cookie of a signed-in
// browser.

import type { Actor, Control } from "@dari/control/context";
import {
  authenticateBrowser,
  authenticateKey,
  authenticateSessionToken,
  isKnownToken,
  isSessionToken,
  unusableToken,
  type BrowserSignIn,
} from "@dari/control/tenants";
import { AppError } from "@dari/domain";
import type { Request, Response } from "express";
import { readBearerToken } from "./bearer.ts";
import { allowAnyOrigin, allowOrigin } from "./cross-origin.ts";
import { serializeCookie, serializeExpiredCookie, readCookie } from "./cookies.ts";
import { requireSameOrigin } from "./same-origin.ts";

const cookieName = "dari_sign_in";

/**
 * Authenticates a call of a route of the contract. Only these accept session tokens, and each checks what the token can
 * call. A page of another origin can read the reply, and an error from here on, if the organization allows its origin.
 * @throws AppError as `authenticateRequest`; `unauthenticated` for a token that has ended; `forbidden` for a page of an
 *   origin that is not allowed.
 */
export async function authenticateCall(control: Control, request: Request, response: Response): Promise<Actor> {
  const bearer = readBearerToken(request);
  if (!isSessionToken(bearer)) return authenticateRequest(control, request);
  // Every page can read that a token is not valid here, for example after the master key was changed.
  if (!isKnownToken(control, bearer)) allowAnyOrigin(request, response);
  const { actor, origins } = await authenticateSessionToken(control, bearer);
  allowOrigin(control, origins, request, response);
  if (actor === undefined) throw unusableToken();
  return actor;
}

/**
 * Authenticates a caller with a key or a cookie.
 * @throws AppError `unauthenticated`, with the same text whatever is wrong; `forbidden` if another site makes a
 *   signed-in browser change something, or if a connected app calls something else than `/mcp`.
 */
export async function authenticateRequest(control: Control, request: Request): Promise<Actor> {
  const cookie = request.get("authorization") === undefined ? readCookie(control, request, cookieName) : undefined;
  if (cookie === undefined) return requireResource(await authenticateKey(control, readBearerToken(request)), request);
  const actor = await authenticateBrowser(control, cookie);
  if (request.method !== "GET" && request.method !== "HEAD") requireSameOrigin(control, request);
  return actor;
}

/** An app's token is for one resource (RFC 8707). The resource is /mcp and what is below it. */
function requireResource(actor: Actor, { baseUrl, path }: Request): Actor {
  if (actor.isApp !== true || /^\/mcp(\/|$)/.test(`${baseUrl}${path}`)) return actor;
  throw new AppError("forbidden", "this access token of a connected app is only for /mcp; use an API key");
}

/** Returns the `Set-Cookie` of a sign-in. */
export function setSignInCookie(control: Control, { secret, validMs }: BrowserSignIn): string {
  return serializeCookie(control, cookieName, secret, { seconds: Math.floor(validMs / 1_000), sameSite: "Strict" });
}

export function clearSignInCookie(control: Control): string {
  return serializeExpiredCookie(control, cookieName);
}
