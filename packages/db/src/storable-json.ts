// Values of any caller as jsonb that PostgreSQL can store.

import { sql, type RawBuilder } from "kysely";

/**
 * A value as jsonb; nothing as SQL's null. NUL and lone surrogates are valid in JSON and not storable in jsonb: they
 * become the visible symbols for them.
 */
export function json(value: unknown): RawBuilder<unknown> {
  if (value === undefined || value === null) return sql`null::jsonb`;
  return sql`${storableJson(value)}::jsonb`;
}

/** Takes escapes one by one, so that a backslash that is itself escaped is never taken for the start of one. */
function storableJson(value: unknown): string {
  return JSON.stringify(value).replace(/\\(?:u0000|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)/g, (escape) => {
    if (escape === "\\u0000") return "\u2400";
    return escape.length === 6 && /^\\ud[89a-f]/i.test(escape) ? "\ufffd" : escape;
  });
}
