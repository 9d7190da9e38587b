// Identifies a request to a model: two requests with the same digest ask the same.

import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { ModelFormat } from "@dari/domain";
import { carriesCredentials } from "../secrets/substitute-secrets.ts";
import { JsonSkeleton } from "./json-skeleton.ts";

/** Changes if equal requests get other digests than before. */
const version = "dari model request 1";

/**
 * The headers that can change an answer, and those with a credential: two credentials can be two accounts. Others are
 * names of SDKs, traces and counts of tries.
 */
const readHeaders = [
  ...["accept", "accept-encoding", "content-encoding", "content-type"],
  ...["anthropic-beta", "anthropic-version", "openai-beta", "openai-organization", "openai-project"],
  "x-goog-user-project",
  ...[...carriesCredentials].sort(),
];

/** A field whose value the provider documents as an id of the caller, for its cache and against misuse. */
interface CallerField {
  readonly name: string;
  /** The object at the top level that has the field. Undefined: the top level. */
  readonly inside?: string;
}

const openai: readonly CallerField[] = [{ name: "prompt_cache_key" }, { name: "safety_identifier" }, { name: "user" }];
const callerFields: Readonly<Record<ModelFormat, readonly CallerField[]>> = {
  "openai-responses": openai,
  "openai-chat": openai,
  "anthropic-messages": [{ name: "user_id", inside: "metadata" }],
  gemini: [],
};

export interface Asked extends Pick<IncomingMessage, "headers"> {
  readonly method: string | undefined;
  readonly url: string | undefined;
}

/**
 * Returns the digest of a request as the agent sent it. `host`: with its port, if that is not 443. `headers`: with
 * names of credentials, because each process has other placeholders.
 */
export function digestRequest(host: string, format: ModelFormat, asked: Asked, body: Buffer): string {
  const { method, url, headers } = asked;
  const hash = createHash("sha256");
  hash.update(JSON.stringify([version, host, method, url, readHeaders.map((name) => headers[name] ?? null)]));
  const spans = headers["content-encoding"] === undefined ? findCallerValues(format, body) : [];
  let at = 0;
  for (const { from, to } of spans) {
    hash.update(body.subarray(at, from));
    at = to;
  }
  return hash.update(body.subarray(at)).digest("hex");
}

interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * Returns where the values of the format's caller fields are in the body, in order. The rest of the body counts byte by
 * byte, so nothing depends on how a JSON parser reads numbers or repeated names.
 */
function findCallerValues(format: ModelFormat, body: Buffer): Span[] {
  const found = callerFields[format].flatMap((field) => {
    const member = findOnlyMember(body, field.name);
    return member === undefined ? [] : [{ field, ...member }];
  });
  if (found.length === 0) return [];
  const outer = outlineOf(body);
  return found
    .filter(({ field, value }) => valueIn(outer, field) === value)
    .map(({ span }) => span)
    .sort((one, other) => one.from - other.from);
}

/** The value of a member that is read. Longer ones count like the rest of the body. */
const memberValue = /\s{0,16}:\s{0,16}("(?:[^"\\]|\\.){0,512}")/y;
const memberBytesMax = 4 * 1024;

/** Returns the text value of the only member with this name, at any depth. */
function findOnlyMember(body: Buffer, name: string): { readonly value: unknown; readonly span: Span } | undefined {
  const from = findOnlyName(body, Buffer.from(`"${name}"`));
  if (from === undefined) return undefined;
  memberValue.lastIndex = 0;
  // In latin1, a character is a byte.
  const match = memberValue.exec(body.toString("latin1", from, from + memberBytesMax));
  if (match === null) return undefined;
  const to = from + match[0].length;
  const value = parse(body.toString("utf8", to - match[1]!.length, to));
  return { value, span: { from: to - match[1]!.length, to } };
}

/** A body that has a caller field's name more often is not searched further. */
const placesMax = 10_000;
const [space, comma, closeArray, backslash, closeObject] = [0x20, 0x2c, 0x5d, 0x5c, 0x7d];

/** Returns where the only member's name ends. Undefined if there are several, or it may be a part of a text. */
function findOnlyName(body: Buffer, quoted: Buffer): number | undefined {
  let found: number | undefined;
  let places = 0;
  for (let at = body.indexOf(quoted); at !== -1; at = body.indexOf(quoted, at + quoted.length)) {
    if (++places > placesMax) return undefined;
    let next = at + quoted.length;
    while (next < body.length && body[next]! <= space && next < at + quoted.length + 16) next += 1;
    // A text and no name, such as the role of a message.
    if (body[next] === comma || body[next] === closeArray || body[next] === closeObject) continue;
    // After a backslash, the quote belongs to a text.
    if (found !== undefined || body[at - 1] === backslash) return undefined;
    found = at + quoted.length;
  }
  return found;
}

/** Returns the short texts of the outer levels of a JSON object. Undefined if the body is none. */
function outlineOf(body: Buffer): unknown {
  const values: string[] = [];
  const skeleton = new JsonSkeleton((text) => values.push(text), { splitsArray: false });
  try {
    skeleton.write(body);
  } catch {
    return undefined;
  }
  return skeleton.isOpen || values.length !== 1 ? undefined : parse(values[0]!);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function valueIn(outer: unknown, { name, inside }: CallerField): unknown {
  const holder = inside === undefined ? outer : memberOf(outer, inside);
  const value = memberOf(holder, name);
  return typeof value === "string" && value !== "" ? value : Symbol("none");
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}
