// The fleet: the workers, and who leads a loop.

import type { WorkerReport } from "@dari/domain";
import { sql } from "kysely";
import type { Database } from "../../database.ts";

export interface WorkerPresence {
  readonly id: string;
  readonly release: number;
  readonly pool: string;
  readonly slots: number;
  readonly draining: boolean;
  readonly details: WorkerReport;
}

/**
 * Reports that this worker is alive and what it offers. Resolves with the lowest release that may claim turns of this
 * database. A crash of the database may undo the report.
 */
export async function upsertWorkerSeen(
  db: Database,
  { id, release, pool, slots, draining, details }: WorkerPresence,
): Promise<{ lowestRelease: number }> {
  const { rows } = await sql<{ lowestRelease: number }>`
    insert into workers (id, release, pool, slots, draining, details)
    select ${id}, ${release}::int, ${pool}, ${slots}::int, ${draining}::boolean, ${JSON.stringify(details)}::jsonb
    from set_config('synchronous_commit', 'off', true)
    on conflict (id) do update set slots = excluded.slots, draining = excluded.draining, details = excluded.details,
      seen_at = clock_timestamp()
    returning lowest_release() as "lowestRelease"`.execute(db.kysely);
  return rows[0]!;
}

export async function deleteWorker(db: Database, workerId: string): Promise<void> {
  await db.kysely.deleteFrom("workers").where("id", "=", workerId).execute();
}

/** Deletes workers that were last seen longer ago than this. */
export async function deleteWorkersUnseenFor(db: Database, ms: number): Promise<number> {
  const result = await db.kysely
    .deleteFrom("workers")
    .where("seen_at", "<", sql<Date>`clock_timestamp() - ${ms} * interval '1 millisecond'`)
    .executeTakeFirst();
  return Number(result.numDeletedRows);
}

/**
 * Takes or renews the lead of `name`: one conditional write, refused while another holder was seen within `ttlMs`.
 * Leadership only saves work: every step is safe with two leaders, so a crash may undo the write. A holder with a later
 * time, from before the database's clock was set back, does not count.
 */
export async function leadIfFree(db: Database, name: string, holder: string, ttlMs: number): Promise<boolean> {
  const result = await sql`
    insert into leaders (name, holder)
    select ${name}, ${holder} from set_config('synchronous_commit', 'off', true)
    on conflict (name) do update set holder = excluded.holder, seen_at = clock_timestamp()
    where leaders.holder = excluded.holder
      or leaders.seen_at not between clock_timestamp() - ${ttlMs} * interval '1 millisecond' and clock_timestamp()
    returning 1`.execute(db.kysely);
  return result.rows.length > 0;
}

/** Returns whether `name` had a leader within the last `ttlMs`. */
export async function hasLeader(db: Database, name: string, ttlMs: number): Promise<boolean> {
  const result = await sql`select 1 from leaders where name = ${name}
    and seen_at between clock_timestamp() - ${ttlMs} * interval '1 millisecond' and clock_timestamp()`.execute(
    db.kysely,
  );
  return result.rows.length > 0;
}

/** Gives up the lead at shutdown, so that another process takes it at once. */
export async function resignIfLeading(db: Database, name: string, holder: string): Promise<void> {
  await db.kysely.deleteFrom("leaders").where("name", "=", name).where("holder", "=", holder).execute();
}
