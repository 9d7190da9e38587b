// Keeps secrets out of log lines, by the name of the key and by the form of the text.

import { types } from "node:util";
import { Redacted } from "@dari/domain";

const hidden = "***";
const depthMax = 8;

/** Whole names, lower case, without separators. */
const secretNames = new Set(["authorization", "cookie", "setcookie", "apikey", "passphrase", "pwd", "passwd"]);
/**
 * Names with these endings are secrets, such as masterKey, claim_token and uploadUrl; `key` and `objectKey` are not.
 */
const secretEndings = ["password", "secret", "token", "apikey", "masterkey", "privatekey", "accesskey", "uploadurl"];

/** Returns true for a key whose value must not be printed. */
export function isSecretKey(key: string): boolean {
  const name = key.toLowerCase().replace(/[^a-z0-9]/g, "");
  return secretNames.has(name) || secretEndings.some((ending) => name.endsWith(ending));
}

const passwordInUrl = /(:\/\/[^:@/\s]*):[^@/\s]+@/g;
/**
 * API keys, session tokens, session cookies, links, invitations, device codes, the tokens of triggers, and the codes
 * and refresh tokens of connected apps.
 */
const ownSecret =
  /\b(?:(?:dari|dses|dlnk|dkln|dinv|ddev|dtrg)_[A-Za-z0-9_-]{8,}|(?:dtok|dcod|dref)_[A-Za-z0-9_.-]{8,})/g;
const bearer = /\b(Bearer )[A-Za-z0-9._~+/=-]{8,}/gi;

/** Hides passwords in URLs, the platform's own secrets and bearer tokens in a text. */
export function redactText(text: string): string {
  return text.replace(passwordInUrl, `$1:${hidden}@`).replace(ownSecret, hidden).replace(bearer, `$1${hidden}`);
}

export interface PrintableError {
  readonly type: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly [key: string]: unknown;
}

const none: ReadonlySet<string> = new Set();
const rowFields: ReadonlySet<string> = new Set(["detail", "where", "internalQuery"]);

/** Fields of PostgreSQL's errors that quote rows and values, which belong to tenants. */
function rowsInDatabaseErrors(error: Error): ReadonlySet<string> {
  return "severity" in error && "routine" in error ? rowFields : none;
}

function printableError(error: Error, depth: number): PrintableError {
  const own: Record<string, unknown> = {};
  const hiddenKeys = rowsInDatabaseErrors(error);
  for (const [key, value] of Object.entries(error))
    if (key !== "name" && !hiddenKeys.has(key)) own[key] = redactAt(key, value, depth + 1);
  return {
    ...own,
    type: error.name,
    message: redactText(error.message),
    stack: error.stack === undefined ? undefined : redactText(error.stack),
    ...(error.cause !== undefined && { cause: redactAt("cause", error.cause, depth + 1) }),
  };
}

function redactAt(key: string, value: unknown, depth: number): unknown {
  if (value === null || value === undefined) return value;
  if (isSecretKey(key)) return hidden;
  if (typeof value === "string") return redactText(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object") return value;
  if (value instanceof Redacted || value instanceof Date) return value;
  if (depth >= depthMax) return "…";
  if (types.isNativeError(value)) return printableError(value, depth);
  if (Array.isArray(value)) return value.map((item) => redactAt("", item, depth + 1));
  if (ArrayBuffer.isView(value)) return `<${value.byteLength} bytes>`;
  return redactObject(value, depth + 1);
}

function redactObject(fields: object, depth: number): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, redactAt(key, value, depth)]));
}

/**
 * Returns a copy of `fields` that is safe to print: secrets hidden, errors expanded with their causes, depth limited.
 */
export function redactFields(fields: object): Record<string, unknown> {
  return redactObject(fields, 0);
}
