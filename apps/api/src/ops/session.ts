// An operator's sign-in, kept in a signed, short-lived cookie. It is invalid once the operator's key is.

import { createHmac, timingSafeEqual } from "node:crypto";
import type { Actor, Control } from "@dari/control/context";
import { resumeOperator } from "@dari/control/tenants";

export const sessionSeconds = 8 * 3_600;
const cookieName = "dari_ops";
const cookieCharsMax = 1_024;

interface SignedIn {
  readonly organizationId: string;
  readonly keyId: string;
  /** By this machine's clock, in milliseconds. */
  readonly until: number;
}

/** Returns the `Set-Cookie` of an operator's sign-in. */
export function createOpsCookie(control: Control, actor: Actor): string {
  const { organizationId, keyId } = actor;
  const signedIn: SignedIn = { organizationId, keyId, until: Date.now() + sessionSeconds * 1_000 };
  const text = Buffer.from(JSON.stringify(signedIn)).toString("base64url");
  return cookie(control, `${text}.${sign(control, text).toString("base64url")}`, sessionSeconds);
}

/** Returns the `Set-Cookie` that deletes the sign-in. */
export function clearOpsCookie(control: Control): string {
  return cookie(control, "", 0);
}

/** Returns the operator that is signed in by the request's cookies, or undefined. */
export async function readOpsCookies(control: Control, cookies: string | undefined): Promise<Actor | undefined> {
  const signedIn = readSession(control, valueOf(cookies));
  if (signedIn === undefined || signedIn.until <= Date.now()) return undefined;
  return resumeOperator(control, signedIn);
}

function readSession(control: Control, value: string | undefined): SignedIn | undefined {
  if (value === undefined || value.length > cookieCharsMax) return undefined;
  const [text = "", signature = ""] = value.split(".");
  const given = Buffer.from(signature, "base64url");
  const expected = sign(control, text);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
  return JSON.parse(Buffer.from(text, "base64url").toString("utf8")) as SignedIn;
}

function valueOf(cookies: string | undefined): string | undefined {
  const pairs = (cookies ?? "").split(";").map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${cookieName}=`))?.slice(cookieName.length + 1);
}

function sign(control: Control, text: string): Buffer {
  return createHmac("sha256", control.urlSigningKey).update(`ops-session\0${text}`).digest();
}

function cookie(control: Control, value: string, seconds: number): string {
  const secure = control.publicUrl.startsWith("https:") ? "; Secure" : "";
  return `${cookieName}=${value}; Path=/ops; HttpOnly; SameSite=Strict; Max-Age=${seconds}${secure}`;
}
