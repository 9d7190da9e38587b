// Counts the rows that statements read, which depends on their plans and not on other programs.

import { sql } from "kysely";
import pg from "pg";
import { withinTransaction, withTransaction, type Database } from "../src/index.ts";

/** Counts the rows that `work` reads in one transaction, from all tables or the given ones. */
export function countRowsRead(
  db: Database,
  work: (bound: Database) => Promise<unknown>,
  tables?: readonly string[],
): Promise<number> {
  return withTransaction(db, async (tx) => {
    // The connection's count also covers earlier transactions that were not reported yet.
    const read = async (): Promise<number> => {
      const result = await sql<{ n: number }>`select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::int as n
        from pg_stat_xact_user_tables 
         where ${tables ?? null}::text[] is null or relname = any (${tables ?? []}::text[])`.execute(tx);
      return result.rows[0]?.n ?? 0;
    };
    const before = await read();
    await work(withinTransaction(db, tx));
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
