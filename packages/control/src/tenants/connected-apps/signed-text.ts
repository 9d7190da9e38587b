// Texts that the platform signs instead of storing: client ids, codes, and the tokens of connected apps. Each signature
// begins with its purpose, as for everything that this key signs.

import { createHmac, timingSafeEqual } from "node:crypto";
import type { Control } from "@dari/control/context";
import { idPrefixes, isId } from "@dari/domain";

export type SigningControl = Pick<Control, "urlSigningKey">;

/** The base64url alphabet has 64 letters: a signature has 43 of them. */
const signed = /^([A-Za-z0-9_]+)(?:\.([0-9]{1,9}))?\.([A-Za-z0-9_-]{43})$/;

export function sign({ urlSigningKey }: SigningControl, purpose: string, ...parts: readonly string[]): string {
  return createHmac("sha256", urlSigningKey)
    .update(["app", purpose, ...parts].join("\0"))
    .digest("base64url");
}

export function isSignature(given: string, expected: string): boolean {
  return given.length === expected.length && timingSafeEqual(Buffer.from(given), Buffer.from(expected));
}

/** The code of an approval, which is its key's id. */
export function codeOf(control: SigningControl, keyId: string): string {
  return `dcod_${bodyOf(keyId)}.${sign(control, "code", keyId)}`;
}

/** Returns the id of the key that a code is for, or undefined if the code was not made here. */
export function readCode(control: SigningControl, code: string): string | undefined {
  const { keyId, generation, signature } = parse("dcod_", code) ?? {};
  if (keyId === undefined || signature === undefined || generation !== undefined) return undefined;
  return isSignature(signature, sign(control, "code", keyId)) ? keyId : undefined;
}

/** The API key that the app sends to /mcp. Its hash is stored with the key, as for every API key. */
export function accessTokenOf(control: SigningControl, keyId: string, generation: number): string {
  return `dari_${sign(control, "access", keyId, String(generation))}`;
}

export function refreshTokenOf(control: SigningControl, keyId: string, generation: number): string {
  return `dref_${bodyOf(keyId)}.${generation}.${sign(control, "refresh", keyId, String(generation))}`;
}

/** Returns what a refresh token is for, also an old one; undefined if it was not made here. */
export function readRefreshToken(
  control: SigningControl,
  token: string,
): { readonly keyId: string; readonly generation: number } | undefined {
  const { keyId, generation, signature } = parse("dref_", token) ?? {};
  if (keyId === undefined || generation === undefined || signature === undefined) return undefined;
  if (!isSignature(signature, sign(control, "refresh", keyId, generation))) return undefined;
  return { keyId, generation: Number(generation) };
}

function bodyOf(keyId: string): string {
  return keyId.slice(idPrefixes.apiKey.length + 1);
}

interface SignedParts {
  readonly keyId: string;
  readonly generation: string | undefined;
  readonly signature: string;
}

function parse(prefix: string, text: string): SignedParts | undefined {
  if (!text.startsWith(prefix) || text.length > 200) return undefined;
  const [, body, generation, signature] = signed.exec(text.slice(prefix.length)) ?? [];
  const keyId = `${idPrefixes.apiKey}_${body}`;
  return body === undefined || signature === undefined || !isId("apiKey", keyId)
    ? undefined
    : { keyId, generation, signature };
}
