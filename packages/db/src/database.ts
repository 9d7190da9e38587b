// Connections to PostgreSQL. kysely and pg live in this package only; everyone else calls queries and verbs.

import { Kysely, PostgresDialect, type Transaction } from "kysely";
import pg from "pg";
import type { DB } from "./generated/schema.ts";
import { preparing } from "./prepared.ts";

/** What queries run on: the pool, or one open transaction. */
export type Queryable = Kysely<DB> | Transaction<DB>;

export interface Database {
  readonly kysely: Kysely<DB>;
  readonly pool: pg.Pool;
  readonly url: string;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly url: string;
  /** Connections at most. */
  readonly poolMax: number;
  /** The role that statements run as; it owns no table. Undefined: the URL's own (migrations only). */
  readonly role?: "dari_app";
  readonly applicationName: string;
}

export const schemaName = "dari";

// bigint and numeric columns hold counters far below 2^53.
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: "text" | "binary") =>
    oid === 20 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
};

/** The connection settings that every client of the platform uses. */
export function clientConfig(options: Omit<DatabaseOptions, "poolMax">): pg.ClientConfig {
  const settings = [
    `search_path=${schemaName}`,
    "lock_timeout=8000",
    "idle_in_transaction_session_timeout=10000",
    ...(options.role === undefined ? [] : [`role=${options.role}`]),
  ];
  return {
    connectionString: options.url,
    application_name: options.applicationName,
    options: settings.map((setting) => `-c ${setting}`).join(" "),
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    types,
  };
}

export function openDatabase(options: DatabaseOptions): Database {
  const pool = new pg.Pool({
    ...clientConfig(options),
    max: options.poolMax,
    statement_timeout: 30_000,
    query_timeout: 35_000,
  });
  // A connection that breaks while idle is replaced by the pool; without a listener it would end the process.
  pool.on("error", () => undefined);
  // One that breaks while it is held, between two statements of a transaction, fails the next statement besides.
  pool.on("connect", (client) => void client.on("error", () => undefined));
  const kysely = new Kysely<DB>({ dialect: new PostgresDialect({ pool: preparing(pool) }) });
  let closed: Promise<void> | undefined;
  return {
    kysely,
    pool,
    url: options.url,
    close: () => (closed ??= closeBoth(kysely, pool)),
  };
}

/** kysely ends the pool only when it has used it; statements may have gone to the pool alone. */
async function closeBoth(kysely: Kysely<DB>, pool: pg.Pool): Promise<void> {
  await kysely.destroy();
  if (!pool.ending) await pool.end();
}

/** Runs `work` in one transaction, or in the one that `db` is bound to. No network call but SQL belongs inside. */
export function withTransaction<T>(db: Database, work: (tx: Transaction<DB>) => Promise<T>): Promise<T> {
  if (db.kysely.isTransaction) return work(db.kysely as Transaction<DB>);
  return db.kysely.transaction().execute(work);
}

/** The database as one transaction sees it: every query joins it, also those that would open one of their own. */
export function boundTo(db: Database, tx: Transaction<DB>): Database {
  return { ...db, kysely: tx };
}
