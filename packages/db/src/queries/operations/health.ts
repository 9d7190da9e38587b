// What operators see of the installation: workers, leader, waiting times, schema.

import type { WorkerReport } from "@dari/domain";
import { sql } from "kysely";
import { schemaName, type Database } from "../../database.ts";

export interface SeenWorker {
  readonly id: string;
  readonly pool: string;
  readonly slots: number;
  readonly draining: boolean;
  readonly seenMsAgo: number;
  /** By the database's clock, in milliseconds since 1970. */
  readonly seenAtMs: number;
  readonly details: WorkerReport;
}

/** Lists all workers that have not been deleted, the most recently seen first (a few hundred rows). */
export async function listWorkers(db: Database): Promise<SeenWorker[]> {
  const details = sql<WorkerReport>`details`;
  const age = sql<number>`extract(epoch from clock_timestamp() - seen_at)::float8 * 1000`;
  const seenAt = sql<number>`extract(epoch from seen_at)::float8 * 1000`;
  return db.kysely
    .selectFrom("workers")
    .select(["id", "pool", "slots", "draining", details.as("details"), age.as("seenMsAgo"), seenAt.as("seenAtMs")])
    .orderBy("seen_at", "desc")
    .execute();
}

/** Returns the time of the database's clock, in milliseconds since 1970. */
export async function getDatabaseTimeMs(db: Database): Promise<number> {
  const result = await sql<{ ms: number }>`
    select extract(epoch from clock_timestamp())::float8 * 1000 as ms`.execute(db.kysely);
  return result.rows[0]!.ms;
}

/** Returns the server's version, for example `18.4`. */
export async function getServerVersion(db: Database): Promise<string> {
  const result = await sql<{ version: string }>`
    select split_part(current_setting('server_version'), ' ', 1) as version`.execute(db.kysely);
  return result.rows[0]!.version;
}

/** Returns the current or last leader of `name` (primary key). */
export async function findLeader(
  db: Database,
  name: string,
): Promise<{ holder: string; seenMsAgo: number } | undefined> {
  const result = await sql<{ holder: string; seenMsAgo: number }>`
    select holder, extract(epoch from clock_timestamp() - seen_at)::float8 * 1000 as "seenMsAgo"
    from leaders where name = ${name}`.execute(db.kysely);
  return result.rows[0];
}

export interface QueueWait {
  /** The longest wait of all ready sessions; null if none is ready. */
  readonly oldestMs: number | null;
  /** The longest wait among organizations without a slot, which no limit can hold back. */
  readonly oldestWithoutSlotMs: number | null;
}

/**
 * Returns how long sessions have been ready, without those that wait for the `max_concurrency` of their agent or batch.
 * By organization, from the partial indexes sessions_ready and sessions_in_flight.
 */
export async function getQueueWait(db: Database): Promise<QueueWait> {
  const result = await sql<QueueWait>`
    select max(ms) as "oldestMs", max(ms) filter (where not holds) as "oldestWithoutSlotMs" from (
      select extract(epoch from clock_timestamp() - oldest_ready_at(r.id))::float8 * 1000 as ms, r.id in (
          select organization_id from sessions where schedule in ('dispatched', 'leased')) as holds
      from ready_organizations() as r (id)) x`.execute(db.kysely);
  return result.rows[0] ?? { oldestMs: null, oldestWithoutSlotMs: null };
}

export interface ScheduleCounts {
  readonly ready: number;
  readonly dispatched: number;
  readonly leased: number;
  readonly retry_wait: number;
  readonly blocked: number;
}

/**
 * Counts sessions by their schedule state, without idle ones. Each count reads its own partial index: sessions_ready,
 * sessions_in_flight, sessions_retry_wait, sessions_blocked.
 */
export async function countSessionsBySchedule(db: Database): Promise<ScheduleCounts> {
  const result = await sql<ScheduleCounts>`
    select (select count(*) from sessions where schedule = 'ready')::float8 as ready,
      (select count(*) from sessions where schedule = 'retry_wait')::float8 as retry_wait,
      (select count(*) from sessions where schedule = 'blocked')::float8 as blocked, dispatched, leased
    from (select count(*) filter (where schedule = 'dispatched')::float8 as dispatched,
        count(*) filter (where schedule = 'leased')::float8 as leased
      from sessions where schedule in ('dispatched', 'leased')) in_flight`.execute(db.kysely);
  return result.rows[0]!;
}

/** Returns the newest migration of the database; undefined if there is none. */
export async function findNewestMigration(db: Database): Promise<string | undefined> {
  const result = await sql<{ name: string }>`
    select name from ${sql.table(`${schemaName}.schema_migrations`)} order by name desc limit 1`.execute(db.kysely);
  return result.rows[0]?.name;
}
