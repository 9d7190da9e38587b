// The state that a browser carries to the identity provider and back: signed, short-lived, and bound to that browser.

import { createHmac, timingSafeEqual } from "node:crypto";
import type { Control } from "@dari/control/context";
import type { OidcAttempt } from "./oidc-provider.ts";

/** How long a person may take at the provider, in seconds. */
export const attemptSeconds = 600;

export interface OidcState extends OidcAttempt {
  /** A path of the console. */
  readonly returnTo: string;
  readonly organizationId: string | undefined;
  /** By this machine's clock, in milliseconds. */
  readonly until: number;
}

export function sealState(control: Control, state: Omit<OidcState, "until">): string {
  const whole = { ...state, until: Date.now() + attemptSeconds * 1_000 };
  const text = Buffer.from(JSON.stringify(whole)).toString("base64url");
  return `${text}.${sign(control, text).toString("base64url")}`;
}

/** Returns undefined if the state has expired, or was not sealed here. */
export function openState(control: Control, value: string | undefined): OidcState | undefined {
  const [text = "", signature = ""] = (value ?? "").split(".");
  const given = Buffer.from(signature, "base64url");
  const expected = sign(control, text);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
  const state = JSON.parse(Buffer.from(text, "base64url").toString("utf8")) as OidcState;
  return state.until > Date.now() ? state : undefined;
}

function sign(control: Control, text: string): Buffer {
  return createHmac("sha256", control.urlSigningKey).update(`oidc-state\0${text}`).digest();
}

const startPlace = "/console";
const placeCharsMax = 500;

/** Returns where to go after the sign-in: always a path of the console. */
export function safeConsolePath(wanted: unknown): string {
  if (typeof wanted !== "string" || wanted.length > placeCharsMax) return startPlace;
  // Browsers treat a backslash as a slash, drop line breaks, and resolve `..`. Our paths contain none of them.
  return !wanted.includes("..") && /^\/console(\/[\w./-]*)?(\?[\w=&%.~-]*)?$/.test(wanted) ? wanted : startPlace;
}
