// The cookies of people's browsers: whom one is signed in as, and on the way to the identity provider where it began.

import type { Control } from "@dari/control/context";
import type { Request } from "express";

/** Enough for any of ours; others may set longer ones on our host. */
const cookieCharsMax = 4_096;

export interface CookieOptions {
  readonly seconds: number;
  /** `Lax` comes along when another site sends the browser here; `Strict` does not. */
  readonly sameSite: "Strict" | "Lax";
}

/** The `Set-Cookie` of a value that scripts cannot read and other sites cannot send. */
export function cookieOf(control: Control, name: string, value: string, options: CookieOptions): string {
  const secure = isSecure(control) ? "; Secure" : "";
  const rest = `Path=/; HttpOnly; SameSite=${options.sameSite}; Max-Age=${options.seconds}${secure}`;
  return `${fullName(control, name)}=${value}; ${rest}`;
}

/** The `Set-Cookie` that makes the browser forget it. */
export function noCookie(control: Control, name: string): string {
  return cookieOf(control, name, "", { seconds: 0, sameSite: "Strict" });
}

/** Undefined when the request has none of this name, or one that cannot be ours. */
export function readCookie(control: Control, request: Request, name: string): string | undefined {
  const start = `${fullName(control, name)}=`;
  const pairs = (request.get("cookie") ?? "").split(";").map((pair) => pair.trim());
  const value = pairs.find((pair) => pair.startsWith(start))?.slice(start.length);
  return value === undefined || value === "" || value.length > cookieCharsMax ? undefined : value;
}

/** With the prefix, no other host of the domain can set it, nor anybody over a connection that is not encrypted. */
function fullName(control: Control, name: string): string {
  return isSecure(control) ? `__Host-${name}` : name;
}

function isSecure(control: Control): boolean {
  return control.publicUrl.startsWith("https:");
}
