// Makes any value storable as jsonb.

import { sql, type RawBuilder } from "kysely";

/**
 * Returns a value as jsonb; undefined and null become SQL's null. NUL and lone surrogates are valid in JSON but not in
 * jsonb: they are replaced by visible symbols.
 */
export function toJsonb(value: unknown): RawBuilder<unknown> {
  if (value === undefined || value === null) return sql`null::jsonb`;
  return sql`${storableJson(value)}::jsonb`;
}

/** Reads escapes one by one, so that an escaped backslash is not taken for the start of another escape. */
function storableJson(value: unknown): string {
  const json = JSON.stringify(value);
  // Most values have no such escape, and the search for one costs little.
  if (!json.includes("\\u")) return json;
  return json.replace(/\\(?:u0000|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)/g, (escape) => {
    if (escape === "\\u0000") return "\u2400";
    return escape.length === 6 && /^\\ud[89a-f]/i.test(escape) ? "\ufffd" : escape;
  });
}
