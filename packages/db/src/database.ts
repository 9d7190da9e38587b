// Connections to PostgreSQL. kysely and pg live in this package only; everyone else calls queries and verbs.

import { Kysely, PostgresDialect, sql, type Transaction } from "kysely";
import pg from "pg";
import type { DB } from "./generated/schema.ts";
import { preparing } from "./prepared.ts";
import { createTenants, type Tenants } from "./tenants.ts";

/** What queries run on: the pool, or one open transaction. */
export type Queryable = Kysely<DB> | Transaction<DB>;

export interface Database {
  readonly kysely: Kysely<DB>;
  readonly pool: pg.Pool;
  /** The connections of organizations' calls; undefined where there are none of their own. */
  readonly tenantPool: pg.Pool | undefined;
  readonly url: string;
  /**
   * The same database for a call of one organization: its statements see that organization's rows and no others,
   * whatever they ask for. `ahead`: before all others of the organization that wait for a connection; for the few that
   * many wait for. @throws Error where it was opened without connections for such calls.
   */
  forOrganization(organizationId: string, how?: { readonly ahead?: boolean }): Database;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly url: string;
  /** Connections at most. */
  readonly poolMax: number;
  /** The role that statements run as; it owns no table. Undefined: the URL's own (migrations only). */
  readonly role?: "dari_app" | "dari_tenant";
  /**
   * Connections at most for calls of organizations, which run as `dari_tenant`. `unrestricted`: the role does not
   * exist, and they run as everything else does. Undefined: this program answers no calls.
   */
  readonly tenants?: number | "unrestricted";
  readonly applicationName: string;
}

export const schemaName = "dari";

// bigint and numeric columns hold counters far below 2^53.
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: "text" | "binary") =>
    oid === 20 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
};

/** The connection settings that every client of the platform uses. */
export function clientConfig(options: Omit<DatabaseOptions, "poolMax" | "tenants">): pg.ClientConfig {
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
  const pool = openPool(options, options.poolMax);
  const { tenants: share } = options;
  const tenants =
    typeof share === "number" ? createTenants(openPool({ ...options, role: "dari_tenant" }, share)) : undefined;
  const kysely = new Kysely<DB>({ dialect: new PostgresDialect({ pool: preparing(pool) }) });
  let closed: Promise<void> | undefined;
  const database: Database = {
    kysely,
    pool,
    tenantPool: tenants?.pool,
    url: options.url,
    forOrganization(organizationId, { ahead = false } = {}) {
      if (tenants !== undefined) return ofTenant(database, tenants, tenants.of(organizationId, ahead));
      if (share === "unrestricted") return database;
      throw new Error("the database was opened without connections for calls of organizations");
    },
    close: () => (closed ??= closeAll(kysely, pool, tenants)),
  };
  return database;
}

/**
 * A call that finds no connection open waits for one: tens of milliseconds. Firewalls and balancers forget a connection
 * on which nothing happens for some minutes. Milliseconds.
 */
const idleTimeoutMillis = 180_000;

function openPool(options: DatabaseOptions, max: number): pg.Pool {
  const own = { max, idleTimeoutMillis, statement_timeout: 30_000, query_timeout: 35_000 };
  const pool = new pg.Pool({ ...clientConfig(options), ...own });
  // A connection that breaks while idle is replaced by the pool; without a listener it would end the process.
  pool.on("error", () => undefined);
  // One that breaks while it is held, between two statements of a transaction, fails the next statement besides.
  pool.on("connect", (client) => void client.on("error", () => undefined));
  return pool;
}

const ofTenants = new WeakMap<Kysely<DB>, Database>();

/** One object for an organization as long as it is remembered: reads are shared between calls by it. */
function ofTenant(database: Database, tenants: Tenants, kysely: Kysely<DB>): Database {
  const known = ofTenants.get(kysely) ?? { ...database, kysely, pool: tenants.pool };
  ofTenants.set(kysely, known);
  return known;
}

/** kysely ends the pool only when it has used it; statements may have gone to the pool alone. */
async function closeAll(kysely: Kysely<DB>, pool: pg.Pool, tenants: Tenants | undefined): Promise<void> {
  await tenants?.pool.end();
  await kysely.destroy();
  if (!pool.ending) await pool.end();
}

/** Runs `work` in one transaction, or in the one that `db` is bound to. No network call but SQL belongs inside. */
export function withTransaction<T>(db: Database, work: (tx: Transaction<DB>) => Promise<T>): Promise<T> {
  if (db.kysely.isTransaction) return work(db.kysely as Transaction<DB>);
  return db.kysely.transaction().execute(work);
}

/**
 * Within the transaction that `db` is bound to: what `work` wrote is taken back when it throws, and the transaction
 * goes on.
 */
export async function withSavepoint<T>(db: Database, work: () => Promise<T>): Promise<T> {
  await sql`savepoint step`.execute(db.kysely);
  try {
    const result = await work();
    await sql`release savepoint step`.execute(db.kysely);
    return result;
  } catch (error) {
    await sql`rollback to savepoint step`.execute(db.kysely);
    throw error;
  }
}

/** The database as one transaction sees it: every query joins it, also those that would open one of their own. */
export function boundTo(db: Database, tx: Transaction<DB>): Database {
  return { ...db, kysely: tx };
}
