// The database for the calls of one organization: behind row-level security, with a role that sees the rows of the
// organization that its transaction names.

import { Kysely, PostgresDialect, type PostgresQueryResult } from "kysely";
import pg from "pg";
import { createConnectionLimit } from "./connection-limit.ts";
import type { DB } from "./generated/schema.ts";
import {
  createStatementNames,
  isInside,
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

/** A connection's transaction: `begun` once a statement has been sent in it. */
interface OpenTransaction {
  /** The statement that begins it. */
  readonly text: string;
  begun: boolean;
}

/**
 * A transaction names its organization when it begins, and begins in the message of its first statement, which saves a
 * round trip. A single statement names it in its own message.
 */
function sendFor(client: pg.PoolClient, organizationId: string): SendStatement {
  let open: OpenTransaction | undefined;
  return async (statement) => {
    const { text } = statement;
    if (isBeginning(text)) {
      await prepareBeginning(client, text);
      open = { text, begun: false };
      return withoutRows;
    }
    // The status of the connection is not enough: an error arrives before the status that follows it.
    const transaction = open;
    if (isEnding(text)) open = undefined;
    if (transaction?.begun === false) {
      if (open === undefined) return withoutRows;
      transaction.begun = true;
      return sendScoped(client, organizationId, statement, transaction.text);
    }
    if (transaction !== undefined || isInside(client))
      return client.query({ ...statement }) as Promise<PostgresQueryResult<unknown>>;
    await prepareScope(client);
    return sendScoped(client, organizationId, statement);
  };
}

const withoutRows = { command: "BEGIN", rowCount: 0, rows: [] } as unknown as PostgresQueryResult<unknown>;

function isBeginning(text: string): boolean {
  return /^(begin|start transaction)\b/i.test(text);
}

/** Returns false for the end of a savepoint. */
function isEnding(text: string): boolean {
  return /^(commit|rollback)$/i.test(text);
}

/** Prepared in every connection before its first use, so that naming the organization needs no planning. */
const scopeName = "dari_scope";
const scopeText = `select set_config('${organizationSetting}', $1, true), current_user as role`;
const preparedIn = new WeakSet<pg.PoolClient>();

async function prepareScope(client: pg.PoolClient): Promise<void> {
  if (preparedIn.has(client)) return;
  const { rows } = await client.query<{ role: string }>({ name: scopeName, text: scopeText, values: [""] });
  const error = roleErrorOf(rows[0]?.role);
  if (error !== undefined) throw error;
  preparedIn.add(client);
}

const beginningsIn = new WeakMap<pg.PoolClient, Set<string>>();

/**
 * Prepares a statement that begins a transaction, under its text as its name. If it were parsed in the message of
 * another statement, the driver would take that one for prepared.
 */
async function prepareBeginning(client: pg.PoolClient, text: string): Promise<void> {
  await prepareScope(client);
  const prepared = beginningsIn.get(client) ?? new Set();
  if (prepared.has(text)) return;
  await client.query({ name: text, text });
  await client.query("rollback");
  beginningsIn.set(client, prepared.add(text));
}

/** Thrown if a connection for calls would see the rows of every organization. */
export class RowSecurityError extends Error {
  override readonly name = "RowSecurityError";
}

/**
 * Returns the error of a connection that runs as another role. The role is requested when the connection opens, but a
 * pooler can drop the request, or have connections of several roles.
 */
function roleErrorOf(role: unknown): RowSecurityError | undefined {
  if (role === tenantRole) return undefined;
  return new RowSecurityError(
    `a database connection for calls of organizations runs as ${String(role ?? "no role")} and not as ${tenantRole}, ` +
      `so nothing is read through it: make your pooler pass on the startup parameter "options", or connect without one`,
  );
}

function sendScoped(
  client: pg.PoolClient,
  organizationId: string,
  statement: SentStatement,
  beginning?: string,
): Promise<PostgresQueryResult<unknown>> {
  return new Promise((resolve, reject) => {
    const query = new ScopedQuery(statement, { organizationId, beginning }, (error, result) => {
      const refusal = error ?? query.roleError;
      if (refusal === undefined) resolve(result);
      else reject(refusal);
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
  handleDataRow(message: DataRow): void;
  handleCommandComplete(message: unknown, connection: Wire): void;
}

interface DataRow {
  readonly fields: readonly unknown[];
}

type Done = (error: Error | null | undefined, result: PostgresQueryResult<unknown>) => void;

const DriverQuery = pg.Query as unknown as new (
  config: SentStatement & { readonly queryMode: "extended" },
  callback: Done,
) => WireQuery;

interface Scope {
  readonly organizationId: string;
  /** The statement that begins a transaction; undefined if the statement is a transaction of its own. */
  readonly beginning: string | undefined;
}

/**
 * Sends the caller's statement in one message with those before it: one begins the transaction, if it has more
 * statements, and one names the organization. If one fails, those after it are not run. A message without a beginning
 * is one transaction, so later statements do not see the setting.
 */
class ScopedQuery extends DriverQuery {
  readonly #scope: Scope;
  /** How many statements are before the caller's and not completed. */
  #before: number;
  /** The error of a connection with another role: the caller gets it in place of the rows. */
  roleError: RowSecurityError | undefined;

  constructor(statement: SentStatement, scope: Scope, done: Done) {
    super({ ...statement, queryMode: "extended" }, done);
    this.#scope = scope;
    this.#before = scope.beginning === undefined ? 1 : 2;
  }

  override prepare(connection: Wire): void {
    const { organizationId, beginning } = this.#scope;
    if (beginning !== undefined) {
      connection.bind({ portal: "", statement: beginning, values: [] });
      connection.execute({ portal: "", rows: 0 });
    }
    connection.bind({ portal: "", statement: scopeName, values: [organizationId] });
    connection.execute({ portal: "", rows: 0 });
    super.prepare(connection);
  }

  /** The row before the caller's has the setting and the role. */
  override handleDataRow(message: DataRow): void {
    if (this.#before === 0) super.handleDataRow(message);
    else this.roleError = roleErrorOf(message.fields[1]);
  }

  override handleCommandComplete(message: unknown, connection: Wire): void {
    if (this.#before === 0) super.handleCommandComplete(message, connection);
    else this.#before -= 1;
  }
}
