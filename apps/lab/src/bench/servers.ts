// A separate database server and Redis for a contestant, durable as in production, so that their usage is only its own.

import path from "node:path";
import { migrate, openDatabase, type Database } from "@dari/db";
import { startPostgres, startRedis } from "@dari/embedded";

export interface Servers {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly db: Database;
  /** Name to pid. */
  readonly pids: Readonly<Record<string, number>>;
}

/**
 * Counts statements, including those in functions. Costs a few percent, so it is for profiles and counts, not for
 * timing.
 */
const countStatements = [
  "shared_preload_libraries=pg_stat_statements",
  "pg_stat_statements.track=all",
  "pg_stat_statements.track_planning=on",
];

/** Gives the planner the statistics of a database that has run for a while. Earlier plans are discarded. */
export async function collectStatistics(servers: Servers): Promise<void> {
  await servers.db.pool.query("vacuum (analyze)");
}

/** The database is migrated. `counting`: with pg_stat_statements. */
export async function startServers(
  dir: string,
  stack: AsyncDisposableStack,
  options: { counting?: boolean; redis?: boolean } = {},
): Promise<Servers> {
  const settings = options.counting === true ? countStatements : [];
  const postgres = stack.use(await startPostgres({ dataDir: path.join(dir, "postgres"), settings }));
  const redis = options.redis === false ? undefined : stack.use(await startRedis({ dir: path.join(dir, "redis") }));
  await migrate(postgres.url);
  const db = stack.adopt(openDatabase({ url: postgres.url, poolMax: 4, applicationName: "dari-lab" }), (opened) =>
    opened.close(),
  );
  if (options.counting === true) await db.pool.query("create extension if not exists pg_stat_statements schema public");
  return {
    databaseUrl: postgres.url,
    redisUrl: redis?.url ?? "",
    db,
    pids: { postgres: postgres.pid, ...(redis === undefined ? {} : { redis: redis.pid }) },
  };
}
