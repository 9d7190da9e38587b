// What chaos runs need to know of workers.

import { sql } from "kysely";
import type { Database } from "../database.ts";

/** The worker that runs as this process, as it says itself. */
export async function findWorkerByPid(db: Database, pid: number): Promise<string | undefined> {
  const row = await db.kysely
    .selectFrom("workers")
    .where(sql<boolean>`details ->> 'pid' = ${String(pid)}`)
    .select("id")
    .executeTakeFirst();
  return row?.id;
}
