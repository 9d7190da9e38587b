// Calls a SQL function that returns one row.

import type { RawBuilder } from "kysely";
import type { Queryable } from "./database.ts";

export async function callOne<T>(db: Queryable, query: RawBuilder<unknown>): Promise<T> {
  const result = await query.execute(db);
  const row = result.rows[0];
  if (row === undefined) throw new Error("a database function returned no row");
  return row as T;
}
