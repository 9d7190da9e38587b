// Reads values of an event: of its JSON body, by a path of names and indexes, or of its request's headers.

import { invalidField, limits } from "@dari/domain";

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
