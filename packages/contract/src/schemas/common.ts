// Building blocks that every noun's schemas share. Knows no noun.

import { type IdKind, idPrefixes, limits } from "@dari/domain";
import Type, { type Static, type TSchema, type TUnsafe } from "typebox";

/**
 * An id in a request: the prefix is checked, so that a mixed-up id is refused by name before it is looked up.
 * `expected` lets two prefixes name one noun (`agt_`, `dep_`).
 */
export function idInput(kind: IdKind, alternatives: readonly string[] = []) {
  const prefixes = [idPrefixes[kind], ...alternatives];
  return Type.String({
    pattern: `^(${prefixes.join("|")})_`,
    maxLength: 64,
    "x-expected": `an id that starts with ${prefixes.map((prefix) => `'${prefix}_'`).join(" or ")}`,
  });
}

/** An id in a reply. */
export function idOutput(kind: IdKind) {
  return Type.String({ examples: [`${idPrefixes[kind]}_01jx5m0k8c3f7q2v9t4w6y8z1a`] });
}

/** One of some words. */
export function oneOf<const Words extends readonly string[]>(words: Words): TUnsafe<Words[number]> {
  return Type.Unsafe<Words[number]>(Type.String({ enum: words }));
}

/** A value of `schema`, or null. For replies: its errors would name both branches. */
export function nullable<S extends TSchema>(schema: S) {
  return Type.Union([schema, Type.Null()]);
}

/** A request body: what it does not know, it refuses. */
export const strict = { additionalProperties: false } as const;

/** A bound of its own, or null: the platform's default. For requests; `nullable` is for replies. */
export function bound(maximum: number, description: string) {
  return Type.Unsafe<number | null>({ type: ["integer", "null"], minimum: 1, maximum, description });
}

/** RFC 3339, UTC, with Z. */
export const timestamp = Type.String({ format: "date-time", examples: ["2026-11-25T01:07:00.000Z"] });

export const sha256 = Type.String({
  pattern: "^[0-9a-f]{64}$",
  "x-expected": "a SHA-256 checksum: 64 lower-case hexadecimal characters",
});

export const name = Type.String({ maxLength: limits.nameChars, pattern: "\\S", "x-expected": "a non-empty string" });

/** Pairs a caller attaches to a session or message; session lists filter by them. */
export const metadata = Type.Unsafe<Record<string, string | number | boolean>>({
  type: "object",
  maxProperties: limits.metadataPairs,
  propertyNames: { minLength: 1, maxLength: limits.metadataKeyChars },
  // JSON can name numbers that no program can hold, such as 1e400.
  additionalProperties: {
    type: ["string", "number", "boolean"],
    maxLength: limits.metadataValueChars,
    minimum: -Number.MAX_VALUE,
    maximum: Number.MAX_VALUE,
  },
});
export type Metadata = Static<typeof metadata>;

/** A page of rows: `{data, has_more, next}`, and the same rows again under the plural noun. */
export type List<Noun extends string, Row> = { data: Row[]; has_more: boolean; next: string | null } & Record<
  Noun,
  Row[]
>;

export function listOf<S extends TSchema, const Noun extends string>(
  noun: Noun,
  item: S,
): TUnsafe<List<Noun, Static<S>>> {
  return listBeside(noun, item, {});
}

/** A page of rows with further fields that are about all of them. */
export function listBeside<S extends TSchema, const Noun extends string, Fields extends Record<string, TSchema>>(
  noun: Noun,
  item: S,
  fields: Fields,
): TUnsafe<List<Noun, Static<S>> & { [Name in keyof Fields]: Static<Fields[Name]> }> {
  const rows = Type.Array(item);
  const page = { data: rows, has_more: Type.Boolean(), next: nullable(Type.String()), [noun]: rows, ...fields };
  return Type.Unsafe<List<Noun, Static<S>> & { [Name in keyof Fields]: Static<Fields[Name]> }>(Type.Object(page));
}

/** Renders a page: `next` is the cursor of the row after which the next page starts, or null at the end. */
export function renderList<const Noun extends string, Row>(
  noun: Noun,
  { rows, next }: { readonly rows: Row[]; readonly next: string | null },
): List<Noun, Row> {
  const page = { data: rows, has_more: next !== null, next, [noun]: rows };
  return page as unknown as List<Noun, Row>;
}

/** An integer in a query, where every value is text. */
export function integerText(minimum: number, maximum: number, description: string) {
  return Type.String({ "x-integer-text": { minimum, maximum }, description });
}

/** What every list accepts. */
export const listQuery = {
  limit: Type.Optional(integerText(1, limits.listLimitMax, `Rows of a page; ${limits.listLimitDefault} when absent.`)),
  after: Type.Optional(Type.String({ maxLength: 512, description: "The `next` of the page before." })),
};

/** A switch in a query: `?follow=1`. */
export const flag = Type.Optional(oneOf(["0", "1", "true", "false"]));

/** The reply of every DELETE. */
export const Deleted = Type.Object(
  { deleted: Type.Literal(true), id: Type.Optional(Type.String()) },
  { title: "Deleted" },
);
export type Deleted = Static<typeof Deleted>;
