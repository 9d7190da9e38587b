// Building blocks of all schemas. Knows no resource.

import { type IdKind, idPrefixes, limits } from "@dari/domain";
import Type, { type Static, type TSchema, type TUnsafe } from "typebox";

/**
 * Returns the schema of an id in a request. Its prefix is checked, so an id of the wrong kind is refused with the right
 * prefix in the error. For agents, use `agentInput`.
 */
export function idInput(kind: Exclude<IdKind, "agent">) {
  const prefix = `${idPrefixes[kind]}_`;
  return Type.String({ pattern: `^${prefix}`, maxLength: 64, "x-expected": `an id that starts with '${prefix}'` });
}

/** An agent in a request: its `agt_` or `dep_` id, or its name. The API replaces a name by the id. */
export const agentInput = Type.String({
  minLength: 1,
  maxLength: limits.nameChars,
  description: "Id or name of the agent.",
});

/** Returns the schema of an id in a reply. */
export function idOutput(kind: IdKind) {
  return Type.String({ examples: [`${idPrefixes[kind]}_01jx5m0k8c3f7q2v9t4w6y8z1a`] });
}

/** Returns the schema of a string that is one of `words`. */
export function oneOf<const Words extends readonly string[]>(words: Words): TUnsafe<Words[number]> {
  return Type.Unsafe<Words[number]>(Type.String({ enum: words }));
}

/**
 * Returns the schema of a value of `schema`, or null. For replies only: validation errors of a union name both
 * branches.
 */
export function nullable<S extends TSchema>(schema: S) {
  return Type.Union([schema, Type.Null()]);
}

/** Options of a request body: unknown fields are refused. */
export const noOtherFields = { additionalProperties: false } as const;

/** Returns the schema of a limit in a request, or null for its default. Replies use `nullable`. */
export function limitInput(maximum: number, description: string, minimum = 1) {
  return Type.Unsafe<number | null>({ type: ["integer", "null"], minimum, maximum, description });
}

/** RFC 3339, UTC, with Z. */
export const timestamp = Type.String({ format: "date-time", examples: ["2026-11-25T01:07:00.000Z"] });

export const sha256 = Type.String({
  pattern: "^[0-9a-f]{64}$",
  "x-expected": "a SHA-256 checksum: 64 lower-case hexadecimal characters",
});

/** No control or direction-changing characters: a person compares this text on a page. */
export const plainText = "[^\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]";

export const name = Type.String({ maxLength: limits.nameChars, pattern: "\\S", "x-expected": "a non-empty string" });

/** Pairs that a caller attaches to a session or a message. Session lists filter by them. */
export const metadata = Type.Unsafe<Record<string, string | number | boolean>>({
  type: "object",
  maxProperties: limits.metadataPairs,
  propertyNames: { minLength: 1, maxLength: limits.metadataKeyChars },
  // JSON can contain numbers that JavaScript cannot represent, such as 1e400.
  additionalProperties: {
    type: ["string", "number", "boolean"],
    maxLength: limits.metadataValueChars,
    minimum: -Number.MAX_VALUE,
    maximum: Number.MAX_VALUE,
  },
});
export type Metadata = Static<typeof metadata>;

/** A page of rows: `{data, has_more, next}`, with the same rows again under the resource's plural name. */
export type List<Noun extends string, Row> = { data: Row[]; has_more: boolean; next: string | null } & Record<
  Noun,
  Row[]
>;

export function listOf<S extends TSchema, const Noun extends string>(
  noun: Noun,
  item: S,
): TUnsafe<List<Noun, Static<S>>> {
  return listWithFields(noun, item, {});
}

/** Returns the schema of a page of rows with further fields. */
export function listWithFields<S extends TSchema, const Noun extends string, Fields extends Record<string, TSchema>>(
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

/** Returns the schema of an integer in a query, where every value is a string. */
export function integerText(minimum: number, maximum: number, description: string) {
  return Type.String({ "x-integer-text": { minimum, maximum }, description });
}

/** Query parameters of every list. */
export const listQuery = {
  limit: Type.Optional(integerText(1, limits.listLimitMax, `Rows per page (default ${limits.listLimitDefault}).`)),
  after: Type.Optional(Type.String({ maxLength: 512, description: "`next` of the previous page." })),
};

/** A switch in a query: `?follow=1`. */
export const flagQuery = Type.Optional(oneOf(["0", "1", "true", "false"]));

/** The reply of every DELETE. */
export const Deleted = Type.Object(
  { deleted: Type.Literal(true), id: Type.Optional(Type.String()) },
  { title: "Deleted" },
);
export type Deleted = Static<typeof Deleted>;
