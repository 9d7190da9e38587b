// Connections to PostgreSQL. Only this package imports kysely and pg.

import { Kysely, PostgresDialect, sql, type Transaction } from "kysely";
import pg from "pg";
import type { DB } from "./generated/schema.ts";
import { withPreparedStatements } from "./prepared-statements.ts";
import { createTenants, type Tenants } from "./tenant-transaction.ts";

/** The pool, or one open transaction. */
export type Queryable = Kysely<DB> | Transaction<DB>;

export interface Database {
  readonly kysely: Kysely<DB>;
  readonly pool: pg.Pool;
  /** The connections of organizations' calls; undefined if there are none. */
  readonly tenantPool: pg.Pool | undefined;
  readonly url: string;
  /**
   * Returns the database for calls of one organization: statements see only that organization's rows. `ahead`: before
   * other calls of the organization that wait for a connection, for reads that serve many. @throws Error if the
   * database was opened without connections for such calls.
   */
  forOrganization(organizationId: string, how?: { readonly ahead?: boolean }): Database;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly url: string;
  /** Maximum number of connections. */
  readonly poolMax: number;
  /** The role of the statements, which owns no table. Undefined: the URL's own role, for migrations only. */
  readonly role?: "dari_app" | "dari_tenant";
  /**
   * Connections at most for calls of organizations, which run as `dari_tenant`. `unrestricted`: the role does not
   * exist, and they run as everything else does. Undefined: this program answers no calls.
   */
  readonly tenants?: number | "unrestricted";
  readonly applicationName: string;
}

export const schemaName = "dari";

// bigint and numeric columns contain counters far below 2^53.
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: "text" | "binary") =>
    oid === 20 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
};

/** Returns the connection settings that all clients of the platform use. */
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
  const kysely = new Kysely<DB>({ dialect: new PostgresDialect({ pool: withPreparedStatements(pool) }) });
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
 * Opening a connection takes tens of milliseconds, so keep idle ones. Firewalls and load balancers drop connections
 * that are idle for some minutes, so close every connection before. Do not set `min`: pg-pool gives as many connections
 * no idle timeout. In milliseconds.
 */
const idleTimeoutMillis = 180_000;

function openPool(options: DatabaseOptions, max: number): pg.Pool {
  const own = { max, idleTimeoutMillis, statement_timeout: 30_000, query_timeout: 35_000 };
  const pool = new pg.Pool({ ...clientConfig(options), ...own });
  // The pool replaces a connection that breaks while idle. Without a listener, the event would end the process.
  pool.on("error", () => undefined);
  // A connection that breaks between two statements of a transaction also fails the next statement.
  pool.on("connect", (client) => void client.on("error", () => undefined));
  return pool;
}

const ofTenants = new WeakMap<Kysely<DB>, Database>();

/** Returns the same object for an organization while it is cached: calls share reads by object. */
function ofTenant(database: Database, tenants: Tenants, kysely: Kysely<DB>): Database {
  const known = ofTenants.get(kysely) ?? { ...database, kysely, pool: tenants.pool };
  ofTenants.set(kysely, known);
  return known;
}

/** kysely ends the pool only if it has used it. Statements may have used the pool directly. */
async function closeAll(kysely: Kysely<DB>, pool: pg.Pool, tenants: Tenants | undefined): Promise<void> {
  await tenants?.pool.end();
  await kysely.destroy();
  if (!pool.ending) await pool.end();
}

/**
 * Runs `work` in one transaction, or in the one that `db` is bound to. Do not make network calls other than SQL in it.
 */
export function withTransaction<T>(db: Database, work: (tx: Transaction<DB>) => Promise<T>): Promise<T> {
  if (db.kysely.isTransaction) return work(db.kysely as Transaction<DB>);
  return db.kysely.transaction().execute(work);
}

/**
 * Runs `work` in a savepoint of the transaction that `db` is bound to. If it throws, its writes are rolled back, and
 * the transaction continues.
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

/** Returns the database bound to one transaction: every query joins it, including those that would open their own. */
export function withinTransaction(db: Database, tx: Transaction<DB>): Database {
  return { ...db, kysely: tx };
}
