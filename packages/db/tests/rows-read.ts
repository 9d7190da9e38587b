// Rows that statements read, which depends on their plans and on no neighbour.

import { sql } from "kysely";
import pg from "pg";
import { boundTo, withTransaction, type Database } from "../src/index.ts";

/** Counts the rows that `work` reads in one transaction, of all tables or of the named ones. */
export function countRowsRead(
  db: Database,
  work: (bound: Database) => Promise<unknown>,
  tables?: readonly string[],
): Promise<number> {
  return withTransaction(db, async (tx) => {
    // The connection's own count goes back beyond this transaction, to when it was last handed in.
    const read = async (): Promise<number> => {
      const result = await sql<{ n: number }>`select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::int as n
        from pg_stat_xact_user_tables 
         where ${tables ?? null}::text[] is null or relname = any (${tables ?? []}::text[])`.execute(tx);
      return result.rows[0]?.n ?? 0;
    };
    const before = await read();
    await work(boundTo(db, tx));
    return (await read()) - before;
  });
}

/** Does what autovacuum does. The application's role has no right to do it. */
export async function vacuumAnalyze(url: string): Promise<void> {
  const owner = new pg.Client({ connectionString: url });
  await owner.connect();
  await owner.query("vacuum analyze");
  await owner.end();
}
