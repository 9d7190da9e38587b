// The text of a session token: its claims, and a signature with the installation's key. Nothing is stored.

import { createHmac, timingSafeEqual } from "node:crypto";
import type { EndUser, SessionTokenScope } from "@dari/contract";
import type { Control } from "@dari/control/context";
import type { SessionTokenClaims } from "@dari/db";

export interface SignedClaims extends SessionTokenClaims {
  readonly scopes: readonly SessionTokenScope[];
  readonly endUser?: EndUser | undefined;
}

type SigningControl = Pick<Control, "urlSigningKey">;

const prefix = "dtok_";
/** A longer text is not read. Claims with the longest names have less than half of it. */
const pattern = /^dtok_([A-Za-z0-9_-]{1,8000})\.([A-Za-z0-9_-]{43})$/;

/** Returns whether a bearer is meant as a session token. It may still be forged. */
export function isSessionToken(text: string | undefined): text is string {
  return text?.startsWith(prefix) === true;
}

export function signClaims(control: SigningControl, claims: SignedClaims): string {
  const text = Buffer.from(JSON.stringify(claims)).toString("base64url");
  return `${prefix}${text}.${sign(control, text)}`;
}

/** Returns the claims of a token that was made here, also of an expired or a revoked one; otherwise undefined. */
export function readClaims(control: SigningControl, token: string): SignedClaims | undefined {
  const [, text, signature] = pattern.exec(token) ?? [];
  if (text === undefined || signature === undefined) return undefined;
  if (!timingSafeEqual(Buffer.from(signature), Buffer.from(sign(control, text)))) return undefined;
  return JSON.parse(Buffer.from(text, "base64url").toString("utf8")) as SignedClaims;
}

/** There is one algorithm, and what is signed begins with its purpose, as for everything that this key signs. */
function sign({ urlSigningKey }: SigningControl, text: string): string {
  return createHmac("sha256", urlSigningKey).update(`session-token\0${text}`).digest("base64url");
}
