// Checks whether the database accepts writes, without writing anything permanent.

import { sql } from "kysely";
import type { Database } from "../../database.ts";

/** True unless the server is a standby or refuses writes. */
export const writesAccepted = sql<boolean>`(
  not pg_is_in_recovery() and current_setting('transaction_read_only') = 'off')`;

/** Returns false for a standby, or a server that refuses writes. */
export async function acceptsWrites(db: Database): Promise<boolean> {
  const result = await sql<{ takes: boolean }>`select ${writesAccepted} as takes`.execute(db.kysely);
  return result.rows[0]?.takes === true;
}
