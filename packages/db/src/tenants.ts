// The database for the calls of one organization: behind row-level security, with a role that sees the rows of the
// organization that its transaction names.

import { Kysely, PostgresDialect, type PostgresQueryResult } from "kysely";
import pg from "pg";
import { createConnectionLimit } from "./connection-limit.ts";
import type { DB } from "./generated/schema.ts";
import {
  createStatementNames,
  withPreparedStatements,
  type SendStatement,
  type SentStatement,
} from "./prepared-statements.ts";

export const tenantRole = "dari_tenant";

/** The setting that the policies compare with. Set for one transaction only, so that a pooler can share servers. */
export const organizationSetting = "dari.organization_id";

/** How many organizations' statement builders are cached. Creating one costs some tens of microseconds. */
const rememberedMax = 1_000;

/** The part of the connections that one organization can hold, and how long its next call waits, in milliseconds. */
const connectionsPart = 0.8;
const waitMs = 10_000;
/** A call that holds a transaction may need a second connection. */
const connectionsMin = 2;

export interface Tenants {
  readonly pool: pg.Pool;
  /**
   * Returns statements and transactions that see only this organization's rows. `ahead`: before other calls of the
   * organization that wait for a connection.
   */
  of(organizationId: string, ahead?: boolean): Kysely<DB>;
}

/** `pool`: its connections run as the tenants' role. */
export function createTenants(pool: pg.Pool): Tenants {
  const known = new Map<string, Kysely<DB>>();
  // All organizations share the names, because a connection serves all of them.
  const names = createStatementNames();
  const limit = createConnectionLimit(Math.max(connectionsMin, Math.floor(pool.options.max * connectionsPart)), waitMs);
  return {
    pool,
    of(organizationId, ahead = false) {
      const key = ahead ? `${organizationId} ahead` : organizationId;
      const kept = known.get(key);
      if (kept !== undefined) return kept;
      const sendOn = (client: pg.PoolClient): SendStatement => sendFor(client, organizationId);
      const shared = withPreparedStatements(pool, names, sendOn, () => limit.acquire(organizationId, ahead));
      // Closed with the pool.
      const dialect = new PostgresDialect({ pool: { ...shared, end: () => Promise.resolve() } });
      const made = new Kysely<DB>({ dialect });
      known.set(key, made);
      const [oldest] = known.keys();
      if (known.size > rememberedMax && oldest !== undefined) known.delete(oldest);
      return made;
    },
  };
}

/** A transaction names its organization when it begins. A single statement names it in its own message. */
function sendFor(client: pg.PoolClient, organizationId: string): SendStatement {
  return async (statement) => {
    if (isBeginning(statement.text)) return begin(client, statement.text, organizationId);
    const status = client.getTransactionStatus();
    if (status === "T" || status === "E")
      return client.query({ ...statement }) as Promise<PostgresQueryResult<unknown>>;
    await prepareScope(client);
    return sendScoped(client, organizationId, statement);
  };
}

function isBeginning(text: string): boolean {
  return /^(begin|start transaction)\b/i.test(text);
}

async function begin(
  client: pg.PoolClient,
  text: string,
  organizationId: string,
): Promise<PostgresQueryResult<unknown>> {
  const scope = `select set_config('${organizationSetting}', ${client.escapeLiteral(organizationId)}, true),
    current_user as role`;
  try {
    // One result for each of the two.
    const results = (await client.query(`${text}; ${scope}`)) as unknown as pg.QueryResult<{ role: string }>[];
    checkRole(results[1]);
  } catch (error) {
    // A transaction may have begun even if the connection has not heard so: the error comes before the status. Close a
    // connection that did not reply.
    if (error instanceof pg.DatabaseError || error instanceof RowSecurityError) await client.query("rollback");
    throw error;
  }
  return { command: "BEGIN", rowCount: 0, rows: [] } as unknown as PostgresQueryResult<unknown>;
}

/** Prepared in every connection before its first use, so that naming the organization needs no planning. */
const scopeName = "dari_scope";
const scopeText = `select set_config('${organizationSetting}', $1, true), current_user as role`;
const preparedIn = new WeakSet<pg.PoolClient>();

async function prepareScope(client: pg.PoolClient): Promise<void> {
  if (preparedIn.has(client)) return;
  checkRole(await client.query<{ role: string }>({ name: scopeName, text: scopeText, values: [""] }));
  preparedIn.add(client);
}

/** Thrown if a connection for calls would see the rows of every organization. */
export class RowSecurityError extends Error {
  override readonly name = "RowSecurityError";
}

/** Checks the role of a connection. It is requested when the connection opens, but a pooler can drop the request. */
function checkRole(result: pg.QueryResult<{ role: string }> | undefined): void {
  const role = result?.rows[0]?.role;
  if (role === tenantRole) return;
  throw new RowSecurityError(
    `a database connection for calls of organizations runs as ${role ?? "no role"} and not as ${tenantRole}, ` +
      `so nothing is read through it: make your pooler pass on the startup parameter "options", or connect without one`,
  );
}

function sendScoped(
  client: pg.PoolClient,
  organizationId: string,
  statement: SentStatement,
): Promise<PostgresQueryResult<unknown>> {
  return new Promise((resolve, reject) => {
    const query = new ScopedQuery(statement, organizationId, (error, result) => {
      if (error === undefined || error === null) resolve(result);
      else reject(error);
    });
    client.query(query as unknown as pg.Submittable);
  });
}

/** The part of a connection that a query writes to. */
interface Wire {
  bind(config: { portal: string; statement: string; values: readonly string[] }): void;
  execute(config: { portal: string; rows: number }): void;
}

/** The part of the driver's query that is changed here. */
interface WireQuery {
  prepare(connection: Wire): void;
  handleDataRow(message: unknown): void;
  handleCommandComplete(message: unknown, connection: Wire): void;
}

type Done = (error: Error | null | undefined, result: PostgresQueryResult<unknown>) => void;

const DriverQuery = pg.Query as unknown as new (
  config: SentStatement & { readonly queryMode: "extended" },
  callback: Done,
) => WireQuery;

/**
 * Sends two statements in one message: the first names the organization, the second is the caller's. One message is one
 * transaction, so the second sees the setting, later statements do not, and if the first fails the second is not run.
 * This costs no round trip.
 */
class ScopedQuery extends DriverQuery {
  readonly #organizationId: string;
  #isNamed = false;

  constructor(statement: SentStatement, organizationId: string, done: Done) {
    super({ ...statement, queryMode: "extended" }, done);
    this.#organizationId = organizationId;
  }

  override prepare(connection: Wire): void {
    connection.bind({ portal: "", statement: scopeName, values: [this.#organizationId] });
    connection.execute({ portal: "", rows: 0 });
    super.prepare(connection);
  }

  /** The first row is the result of `set_config`. */
  override handleDataRow(message: unknown): void {
    if (this.#isNamed) super.handleDataRow(message);
  }

  override handleCommandComplete(message: unknown, connection: Wire): void {
    if (this.#isNamed) super.handleCommandComplete(message, connection);
    this.#isNamed = true;
  }
}
