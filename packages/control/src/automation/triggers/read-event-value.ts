// Reads values of an event: of its JSON body, by a path of names and indexes, or of its request's headers.

import { AppError, invalidField, limits } from "@dari/domain";

export interface TriggerEventValues {
  /** The parsed body. */
  readonly body: unknown;
  header(name: string): string | undefined;
}

export type ValueSource =
  | { readonly kind: "header"; readonly name: string }
  /** Names of members and indexes of lists. */
  | { readonly kind: "body"; readonly steps: readonly string[] };

const headerPrefix = "header:";
const headerName = /^[A-Za-z0-9-]{1,100}$/;
/** Headers that authenticate a request. Their values must not reach agents. */
const secretHeader = /^(authorization|proxy-authorization|cookie)$|signature/i;

/** In longer bodies, numbers lose the digits that a double does not have. */
const exactCharsMax = 262_144;
/** Text that can contain a number which a double cannot represent. */
const largeNumber = /\d{16}|\d[eE]\+?\d/;

/**
 * Parses an event's JSON. A number beyond 2^53 becomes the text that the sender wrote, so that ids keep their digits. A
 * body of more than `exactCharsMax` is only parsed, because reading each number's text takes ten times longer.
 * @throws AppError `invalid`
 */
export function parseEventBody(text: string): unknown {
  const keepsText = text.length <= exactCharsMax && largeNumber.test(text);
  let body: unknown;
  try {
    body = keepsText ? JSON.parse(text, keepLargeNumber) : JSON.parse(text);
  } catch (error) {
    if (error instanceof RangeError) throw invalidField("body", "expected less nesting");
    const detail = `the body is not valid JSON: ${(error as Error).message}`;
    throw new AppError("invalid", detail, { issues: [{ path: "body", message: detail }], cause: error });
  }
  if (typeof body !== "object" || body === null) throw invalidField("body", "expected a JSON object or list");
  return body;
}

function keepLargeNumber(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  return isExact(value) ? value : (context?.source ?? value);
}

/** Returns false for a number beyond 2^53: other numbers can have been rounded to the same value. */
export function isExact(value: unknown): boolean {
  return typeof value !== "number" || Math.abs(value) <= Number.MAX_SAFE_INTEGER;
}

/** Parses `path.to.value` or `header:Name`. @throws AppError `invalid`, which names `field`. */
export function parseSource(field: string, text: string): ValueSource {
  if (text.startsWith(headerPrefix)) return parseHeader(field, text.slice(headerPrefix.length));
  return parsePath(field, text);
}

/** @throws AppError `invalid` */
export function parseHeader(field: string, name: string): ValueSource {
  if (!headerName.test(name)) {
    throw invalidField(field, `expected the name of a header, not ${JSON.stringify(name)}`);
  }
  if (secretHeader.test(name)) throw invalidField(field, `the header ${name} is a secret or a signature; name another`);
  return { kind: "header", name: name.toLowerCase() };
}

/** @throws AppError `invalid` */
export function parsePath(field: string, path: string): ValueSource {
  const steps = path.split(".");
  if (steps.length > limits.triggerPathSteps) {
    throw invalidField(field, `expected at most ${limits.triggerPathSteps} names in the path ${JSON.stringify(path)}`);
  }
  if (steps.some((step) => !/^[^\s{}|]+$/.test(step))) {
    throw invalidField(field, `expected names separated by dots, not ${JSON.stringify(path)}`);
  }
  return { kind: "body", steps };
}

/** Returns undefined for a missing value, and for null. Only members that the JSON itself has are found. */
export function readValue(source: ValueSource, event: TriggerEventValues): unknown {
  if (source.kind === "header") return event.header(source.name);
  let value: unknown = event.body;
  for (const step of source.steps) value = readMember(value, step);
  return value ?? undefined;
}

function readMember(value: unknown, step: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  if (Array.isArray(value)) return /^(0|[1-9][0-9]{0,8})$/.test(step) ? (value as unknown[])[Number(step)] : undefined;
  return Object.hasOwn(value, step) ? (value as Readonly<Record<string, unknown>>)[step] : undefined;
}

/** Returns a text, a number, true or false as text; undefined for objects, lists and missing values. */
export function textOfScalar(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}
