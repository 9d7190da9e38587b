// Clients of OAuth. Their id contains what they have registered, with a signature: nothing is stored, so strangers can
// register as often as they like. What they register is not verified, except that a redirect reaches its host.

import { connectedAppLimits } from "@dari/domain";
import { isSignature, sign, type SigningControl } from "./signed-text.ts";
import { describeRedirect, isRedirectUri } from "./redirect-uri.ts";

export interface AppClient {
  readonly name: string;
  readonly redirectUris: readonly string[];
}

/** An error of OAuth (RFC 6749, RFC 7591), for the reply. */
export interface OAuthProblem {
  readonly error: string;
  readonly description: string;
}

export function isProblem(value: object): value is OAuthProblem {
  return "error" in value;
}

export function problem(error: string, description: string): OAuthProblem {
  return { error, description };
}

const prefix = "dcli_";
const pattern = /^dcli_([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{43})$/;

export interface RegisteredClient extends AppClient {
  readonly id: string;
}

/** Registers a public client. The same registration gets the same id. */
export function registerClient(control: SigningControl, metadata: unknown): RegisteredClient | OAuthProblem {
  const { redirect_uris: uris, client_name: name } = (metadata ?? {}) as Readonly<Record<string, unknown>>;
  const { redirectUris: most } = connectedAppLimits;
  if (!Array.isArray(uris) || uris.length === 0 || uris.length > most) {
    return problem("invalid_redirect_uri", `redirect_uris: expected a list of 1 to ${most} URIs`);
  }
  for (const uri of uris as unknown[]) {
    if (typeof uri === "string" && isRedirectUri(uri)) continue;
    return problem("invalid_redirect_uri", `${showUri(uri)}: ${expectedUri}`);
  }
  const redirectUris = [...new Set(uris as string[])];
  const shown = typeof name === "string" ? cleanName(name) : "";
  const client = { name: shown === "" ? describeRedirect(redirectUris[0] ?? "").host : shown, redirectUris };
  const text = Buffer.from(JSON.stringify([client.name, ...redirectUris])).toString("base64url");
  const id = `${prefix}${text}.${sign(control, "client", text)}`;
  if (id.length <= connectedAppLimits.clientIdChars) return { ...client, id };
  return problem("invalid_client_metadata", "the name and the redirect URIs are too long together; register fewer");
}

const expectedUri =
  "a redirect URI begins with https://, or with http:// and 127.0.0.1, [::1] or localhost; it has no fragment, and " +
  `at most ${connectedAppLimits.redirectUriChars} characters`;

function showUri(uri: unknown): string {
  return typeof uri === "string" ? JSON.stringify(uri.slice(0, 100)) : typeof uri;
}

/** Letters that are drawn as nothing, but count as letters. */
const blanks = /[\u115f\u1160\u2800\u3164\uffa0]/gu;

/** Removes what could change how the rest of a page is read: control, direction-changing and invisible characters. */
function cleanName(name: string): string {
  const visible = name
    .normalize("NFC")
    .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "")
    .replace(blanks, "");
  const letters = [
    ...visible
      .replace(/\p{M}{3,}/gu, "")
      .replace(/\s+/g, " ")
      .trim(),
  ];
  return letters.slice(0, connectedAppLimits.nameChars).join("").trim();
}

/** Returns the client that was registered with this id, or undefined if the id was not made here. */
export function readClient(control: SigningControl, id: string): AppClient | undefined {
  if (id.length > connectedAppLimits.clientIdChars) return undefined;
  const [, text, signature] = pattern.exec(id) ?? [];
  if (text === undefined || signature === undefined) return undefined;
  if (!isSignature(signature, sign(control, "client", text))) return undefined;
  const [name = "", ...redirectUris] = JSON.parse(Buffer.from(text, "base64url").toString("utf8")) as string[];
  return { name, redirectUris };
}
