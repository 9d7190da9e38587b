// Reads single fields of a dari.yml: what each helper refuses is reported with the field's path.

import { didYouMean, similarWord } from "@dari/domain";
import { manifestJsonSchema } from "./manifest-json-schema.ts";

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

/** The fields of each level, by the prefix of their paths: `""`, `runtime.`, `models[].`. */
const knownFields: ReadonlyMap<string, readonly string[]> = new Map(listLevels(manifestJsonSchema, ""));

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly [keyword: string]: unknown;
}

function listLevels(schema: Schema, prefix: string): [string, readonly string[]][] {
  const { properties = {}, items, oneOf = [] } = schema;
  const own = Object.keys(properties);
  return [
    ...(own.length === 0 ? [] : ([[prefix, own]] as [string, readonly string[]][])),
    ...own.flatMap((name) => listLevels(properties[name]!, `${prefix}${name}.`)),
    ...(items === undefined ? [] : listLevels(items, prefix.replace(/\.$/, "[]."))),
    ...oneOf.flatMap((one) => listLevels(one, prefix)),
  ];
}

export function isMapping(value: unknown): value is Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return !(value instanceof YamlFloat);
}

/**
 * Reports unknown fields. `level` is the prefix of the fields' paths as in the schema (`models[].`), `prefix` is that
 * of this document (`models[0].`).
 */
export function refuseUnknown(fields: Fields, level: string, report: Report, prefix = level): void {
  const known = knownFields.get(level) ?? [];
  const unknown = Object.keys(fields).filter((key) => !known.includes(key));
  for (const key of unknown.sort()) {
    report(`${prefix}${key}`, `unsupported field${suggestField(key, known)}`);
  }
}

const containedCharsMin = 4;

/** Suggests the field of this name on another level, or else a similar one: first of this level. */
function suggestField(key: string, known: readonly string[]): string {
  const paths = [...knownFields].flatMap(([prefix, names]) => names.map((name) => ({ name, path: prefix + name })));
  const exact = paths.find(({ name }) => name === key);
  if (exact !== undefined) return `; did you mean '${exact.path}'?`;
  const here = didYouMean(key, known);
  if (here !== "") return here;
  const names = paths.map(({ name }) => name);
  const typo = similarWord(key, names, (name) => Math.floor(name.length / 4));
  const contains = (name: string) => key.length >= containedCharsMin && name.includes(key.toLowerCase());
  const near = paths.find(({ name }) => (typo === undefined ? contains(name) : name === typo));
  return near === undefined ? "" : `; did you mean '${near.path}'?`;
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
