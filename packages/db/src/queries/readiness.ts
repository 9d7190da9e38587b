// Whether the database takes writes, asked without writing anything that stays.

import { sql } from "kysely";
import type { Database } from "../database.ts";

/** False on a server that only follows another, or that refuses writes. */
export async function takesWrites(db: Database): Promise<boolean> {
  const result = await sql<{ takes: boolean }>`
    select not pg_is_in_recovery() and current_setting('transaction_read_only') = 'off' as takes`.execute(db.kysely);
  return result.rows[0]?.takes === true;
}
