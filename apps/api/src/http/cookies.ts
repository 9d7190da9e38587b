// The cookies of browsers: the sign-in, and the state of a sign-in at the identity provider.

import type { Control } from "@dari/control/context";
import type { Request } from "express";

/** Ours are shorter. Other programs on this host may set longer ones. */
const cookieCharsMax = 4_096;

export interface CookieOptions {
  readonly seconds: number;
  /** A browser sends a `Lax` cookie when another site links here, and a `Strict` one not. */
  readonly sameSite: "Strict" | "Lax";
}

/** Returns the `Set-Cookie` of a value that scripts cannot read and other sites cannot send. */
export function serializeCookie(control: Control, name: string, value: string, options: CookieOptions): string {
  const secure = isSecure(control) ? "; Secure" : "";
  const rest = `Path=/; HttpOnly; SameSite=${options.sameSite}; Max-Age=${options.seconds}${secure}`;
  return `${fullName(control, name)}=${value}; ${rest}`;
}

/** Returns the `Set-Cookie` that deletes the cookie. */
export function serializeExpiredCookie(control: Control, name: string): string {
  return serializeCookie(control, name, "", { seconds: 0, sameSite: "Strict" });
}

/** Returns undefined if the request has no cookie of this name, or one longer than ours can be. */
export function readCookie(control: Control, request: Request, name: string): string | undefined {
  const start = `${fullName(control, name)}=`;
  const pairs = (request.get("cookie") ?? "").split(";").map((pair) => pair.trim());
  const value = pairs.find((pair) => pair.startsWith(start))?.slice(start.length);
  return value === undefined || value === "" || value.length > cookieCharsMax ? undefined : value;
}

/** The prefix `__Host-` keeps other hosts of the domain, and unencrypted connections, from setting the cookie. */
function fullName(control: Control, name: string): string {
  return isSecure(control) ? `__Host-${name}` : name;
}

function isSecure(control: Control): boolean {
  return control.publicUrl.startsWith("https:");
}
