// The kinds of settings that a program can read from its environment. A field parses one text; reading is elsewhere.

import { Redacted } from "@dari/domain";

/** The result of parsing a text: the value, or a sentence that says what was expected. */
export type FieldResult<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly expected: string };

type Unset<T> = { readonly as: "default"; readonly value: T } | { readonly as: "absent" } | { readonly as: "problem" };

export interface Field<T> {
  readonly field: true;
  readonly kind: string;
  /** The environment variable. */
  readonly env: string;
  /** One sentence for the generated page of settings. */
  readonly about: string;
  /** What an unset variable means: a default, undefined, or a problem. */
  readonly unset: Unset<T>;
  /** If true, problems never show the value. */
  readonly secret: boolean;
  /** For an integer with a unit: the required ending of its key, for example "Ms". */
  readonly keyEnding: string | undefined;
  read(text: string): FieldResult<T>;
}

export interface FieldOptions<T> {
  readonly env: string;
  readonly about?: string;
  readonly default?: T;
  /** An unset variable is allowed and reads as undefined. */
  readonly optional?: true;
}

/** The type of a field's value: undefined only if the options allow it. */
export type ValueOf<T, O> = O extends { readonly optional: true } ? T | undefined : T;

interface Kind<T> {
  readonly kind: string;
  readonly read: (text: string) => FieldResult<T>;
  readonly secret?: boolean;
  readonly keyEnding?: string;
}

function makeField<T, O extends FieldOptions<T>>(options: O, kind: Kind<T>): Field<ValueOf<T, O>> {
  const unset: Unset<T> =
    options.default !== undefined
      ? { as: "default", value: options.default }
      : { as: options.optional ? "absent" : "problem" };
  const field: Field<T> = {
    field: true,
    kind: kind.kind,
    env: options.env,
    about: options.about ?? "",
    unset,
    secret: kind.secret ?? false,
    keyEnding: kind.keyEnding,
    read: kind.read,
  };
  return Object.freeze(field) as Field<ValueOf<T, O>>;
}

const good = <T>(value: T): FieldResult<T> => ({ ok: true, value });
const bad = (expected: string): FieldResult<never> => ({ ok: false, expected });

export function string<const O extends FieldOptions<string> & { readonly pattern?: RegExp }>(
  options: O,
): Field<ValueOf<string, O>> {
  const { pattern } = options;
  const read = (text: string): FieldResult<string> =>
    pattern && !pattern.test(text) ? bad(`expected text that matches ${pattern}`) : good(text);
  return makeField<string, O>(options, { kind: "string", read });
}

const keyEndings = { ms: "Ms", seconds: "Seconds", bytes: "Bytes", MiB: "Mb" } as const;

export interface IntegerOptions extends FieldOptions<number> {
  readonly min?: number;
  readonly max?: number;
  /** A duration or a size: its key in the specification must end in the unit, so that no reader has to guess. */
  readonly unit?: keyof typeof keyEndings;
}

/** Defines a whole number in decimal notation, within bounds (default: 0 and up). */
export function integer<const O extends IntegerOptions>(options: O): Field<ValueOf<number, O>> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER, unit } = options;
  const bounds = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  const read = (text: string): FieldResult<number> => {
    const value = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? good(value) : bad(`expected a whole number ${bounds}`);
  };
  const keyEnding = unit && keyEndings[unit];
  return makeField<number, O>(options, { kind: `integer ${bounds}`, read, ...(keyEnding && { keyEnding }) });
}

const yes = new Set(["1", "true", "yes", "on"]);
const no = new Set(["0", "false", "no", "off"]);

export function boolean<const O extends FieldOptions<boolean>>(options: O): Field<ValueOf<boolean, O>> {
  const read = (text: string): FieldResult<boolean> => {
    const word = text.toLowerCase();
    if (yes.has(word)) return good(true);
    return no.has(word) ? good(false) : bad("expected true or false");
  };
  return makeField<boolean, O>(options, { kind: "boolean", read });
}

/** Returns the same setting with another default, for a program in a different environment. */
export function withDefault<T>(field: Field<T>, value: NonNullable<T>): Field<NonNullable<T>> {
  return Object.freeze({ ...field, unset: { as: "default", value } }) as Field<NonNullable<T>>;
}

/** Returns the same setting for a program that decides itself what unset means. */
export function withoutDefault<T>(field: Field<T>): Field<T | undefined> {
  return Object.freeze({ ...field, unset: { as: "absent" as const } });
}

/** Defines one of a fixed set of words. */
export function oneOf<const W extends string, const O extends FieldOptions<W>>(
  words: readonly W[],
  options: O,
): Field<ValueOf<W, O>> {
  const list = words.map((word) => `'${word}'`).join(", ");
  const read = (text: string): FieldResult<W> => {
    const found = words.find((word) => word === text);
    return found === undefined ? bad(`expected one of ${list}`) : good(found);
  };
  return makeField<W, O>(options, { kind: `one of ${list}`, read });
}

function readUrl(text: string, protocols: readonly string[]): FieldResult<string> {
  const expected = `expected a URL that starts with ${protocols.map((p) => `${p}://`).join(" or ")}`;
  if (!URL.canParse(text)) return bad(expected);
  return protocols.includes(new URL(text).protocol.slice(0, -1)) ? good(text) : bad(expected);
}

export interface UrlOptions<T> extends FieldOptions<T> {
  /** Without the colon. Default: http and https. */
  readonly protocols?: readonly string[];
}

/** Defines a URL without a password. The text is kept as given, without a final slash. */
export function url<const O extends UrlOptions<string>>(options: O): Field<ValueOf<string, O>> {
  const protocols = options.protocols ?? ["http", "https"];
  const read = (text: string): FieldResult<string> => readUrl(text.replace(/\/+$/, ""), protocols);
  return makeField<string, O>(options, { kind: "url", read });
}

/** Defines a URL that can contain a password, such as DATABASE_URL. */
export function secretUrl<const O extends UrlOptions<Redacted>>(options: O): Field<ValueOf<Redacted, O>> {
  const protocols = options.protocols ?? ["http", "https"];
  const read = (text: string): FieldResult<Redacted> => {
    const reading = readUrl(text, protocols);
    return reading.ok ? good(new Redacted(reading.value)) : reading;
  };
  return makeField<Redacted, O>(options, { kind: "url, secret", read, secret: true });
}

/** Defines a text that is never shown: it is wrapped immediately and prints as ***. */
export function secret<const O extends FieldOptions<Redacted> & { readonly minChars?: number }>(
  options: O,
): Field<ValueOf<Redacted, O>> {
  const { minChars = 1 } = options;
  const read = (text: string): FieldResult<Redacted> =>
    text.length < minChars ? bad(`expected at least ${minChars} characters`) : good(new Redacted(text));
  return makeField<Redacted, O>(options, { kind: "secret", read, secret: true });
}
