// Reads single fields of a dari.yml: what each helper refuses is reported with the field's path.

import { didYouMean } from "@dari/domain";

/** A float of a YAML document with its original text. */
export class YamlFloat {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

/** Reports an issue of a field. */
export type Report = (path: string, message: string) => void;
export type Fields = Readonly<Record<string, unknown>>;

/** The fields of each level, by the prefix of their paths. */
export const knownFields = {
  "": [
    "name",
    "description",
    "sdk",
    "entrypoint",
    "runtime",
    "retries",
    "limits",
    "secrets",
    "env",
    "egress",
    "models",
  ],
  "runtime.": ["language", "version", "timeout_seconds", "memory", "cpus", "max_concurrency", "reuse", "load"],
  "retries.": ["max_attempts", "on_worker_lost", "record_answers"],
  "limits.": ["requests", "tokens", "cost_usd", "at_limit"],
  "models[].": ["host", "scheme", "path", "format"],
} as const;

export function isMapping(value: unknown): value is Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return !(value instanceof YamlFloat);
}

export function refuseUnknown(fields: Fields, known: readonly string[], prefix: string, report: Report): void {
  const unknown = Object.keys(fields).filter((key) => !known.includes(key));
  for (const key of unknown.sort()) {
    report(`${prefix}${key}`, `unsupported field${placeElsewhere(key) || didYouMean(key, known)}`);
  }
}

/** Returns a suggestion for a field that exists on another level. */
function placeElsewhere(key: string): string {
  const prefixes = Object.keys(knownFields) as (keyof typeof knownFields)[];
  const prefix = prefixes.find((one) => knownFields[one].some((field) => field === key));
  return prefix === undefined ? "" : `; did you mean '${prefix}${key}'?`;
}

export function nonEmptyText(path: string, value: unknown, report: Report): string | undefined {
  if (typeof value === "string" && value.trim() !== "" && isStorable(value)) return value.trim();
  report(path, "expected a non-empty string");
  return undefined;
}

/** Returns undefined if there is none. */
export function optionalText(path: string, value: unknown, report: Report): string | undefined {
  return value === undefined || value === null ? undefined : nonEmptyText(path, value, report);
}

/** YAML's escapes can contain NUL and lone surrogates, which cannot be stored or be in a path or a variable. */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}

export function oneOf<const Words extends readonly string[]>(
  path: string,
  text: string | undefined,
  words: Words,
  report: Report,
): Words[number] | undefined {
  if (text === undefined || text === "") return undefined;
  const word = words.find((candidate) => candidate === text);
  if (word === undefined) report(path, expectedOneOf(words));
  return word;
}

export function expectedOneOf(words: readonly string[]): string {
  return `expected one of ${words.map((word) => `'${word}'`).join(", ")}`;
}

/** Returns undefined if none is chosen. */
export function readChoice<T extends string>(
  field: string,
  value: unknown,
  choices: readonly T[],
  report: Report,
): T | undefined {
  if (value === undefined || value === null) return undefined;
  return oneOf(field, nonEmptyText(field, value, report), choices, report);
}

export function optionalMapping(path: string, value: unknown, report: Report): Fields {
  if (value === undefined || value === null) return {};
  if (isMapping(value)) return value;
  report(path, "expected a mapping");
  return {};
}

export function optionalPositiveInteger(path: string, value: unknown, report: Report): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && Number.isSafeInteger(value) && value > 0) return value;
  report(path, "expected a positive integer");
  return undefined;
}
