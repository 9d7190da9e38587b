// Runs statements until they wait for one another, so that their order is not random.

import { waitUntil } from "@dari/testkit";
import { sql } from "kysely";
import type { Database } from "../src/index.ts";

/** Resolves when this many connections of this database wait for a lock. */
export async function untilWaiting(db: Database, count: number): Promise<void> {
  const look = async (): Promise<boolean> => {
    const { rows } = await sql<{ n: number }>`select count(distinct l.pid)::int as n
      from pg_locks l join pg_stat_activity a on a.pid = l.pid
      where not l.granted and a.datname = current_database()`.execute(db.kysely);
    return (rows[0]?.n ?? 0) >= count;
  };
  await waitUntil(look, { what: `${count} connections to wait for a lock` });
}
