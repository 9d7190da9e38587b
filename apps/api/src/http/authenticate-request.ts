// Authenticates a call: by the key in its header or, without one, by the cookie of a signed-in browser.

import type { Actor, Control } from "@dari/control/context";
import { authenticateBrowser, authenticateKey, type BrowserSignIn } from "@dari/control/tenants";
import type { Request } from "express";
import { readBearerToken } from "./bearer.ts";
import { serializeCookie, serializeExpiredCookie, readCookie } from "./cookies.ts";
import { requireSameOrigin } from "./same-origin.ts";

const cookieName = "dari_sign_in";

/**
 * @throws AppError `unauthenticated`, with the same text whatever is wrong; `forbidden` if another site makes a
 *   signed-in browser change something.
 */
export async function authenticateRequest(control: Control, request: Request): Promise<Actor> {
  const cookie = request.get("authorization") === undefined ? readCookie(control, request, cookieName) : undefined;
  if (cookie === undefined) return authenticateKey(control, readBearerToken(request));
  const actor = await authenticateBrowser(control, cookie);
  if (request.method !== "GET" && request.method !== "HEAD") requireSameOrigin(control, request);
  return actor;
}

/** Returns the `Set-Cookie` of a sign-in. */
export function setSignInCookie(control: Control, { secret, validMs }: BrowserSignIn): string {
  return serializeCookie(control, cookieName, secret, { seconds: Math.floor(validMs / 1_000), sameSite: "Strict" });
}

export function clearSignInCookie(control: Control): string {
  return serializeExpiredCookie(control, cookieName);
}
