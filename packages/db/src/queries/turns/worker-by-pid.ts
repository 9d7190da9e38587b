// What chaos runs need to know about workers.

import { sql } from "kysely";
import type { Database } from "../../database.ts";

/** Finds the worker that runs in this process, by its own report. */
export async function findWorkerByPid(db: Database, pid: number): Promise<string | undefined> {
  const row = await db.kysely
    .selectFrom("workers")
    .where(sql<boolean>`details ->> 'pid' = ${String(pid)}`)
    .select("id")
    .executeTakeFirst();
  return row?.id;
}
