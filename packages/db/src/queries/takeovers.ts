// What measurements need to know of lost workers and of the attempts that took over from them.

import { sql } from "kysely";
import type { Database } from "../database.ts";

export interface Takeover {
  readonly workerId: string;
  /** When the message's next attempt was claimed. */
  readonly claimedAt: Date;
}

/** One row per attempt that was lost with its worker and followed by another. */
export async function listTakeovers(db: Database): Promise<Takeover[]> {
  const result = await sql<Takeover>`
    select a.worker_id as "workerId", n.claimed_at as "claimedAt"
    from attempts a join lateral (
      select claimed_at from attempts x where x.message_id = a.message_id and x.fence > a.fence
      order by x.fence limit 1) n on true
    where a.outcome = 'lost'`.execute(db.kysely);
  return result.rows;
}

/** The worker that runs as this process, as it says itself. */
export async function findWorkerByPid(db: Database, pid: number): Promise<string | undefined> {
  const row = await db.kysely
    .selectFrom("workers")
    .where(sql<boolean>`details ->> 'pid' = ${String(pid)}`)
    .select("id")
    .executeTakeFirst();
  return row?.id;
}
