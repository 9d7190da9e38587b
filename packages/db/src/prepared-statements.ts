// Prepares recurring statements, once per connection: planning some of them costs several times their run.

import type { PostgresPool, PostgresPoolClient, PostgresQueryResult } from "kysely";
import pg from "pg";

const { DatabaseError } = pg;

/** A statement is prepared from this use on, so that rare texts fill neither the table nor the server. */
const preparedFromUse = 5;
/** Each one takes tens of kilobytes in every connection. */
const preparedMax = 250;
const countedMax = 2_000;
/** Postgres truncates longer names. */
const nameCharsMax = 63;

/** Sends one statement to a connection. */
export type SendStatement = (statement: SentStatement) => Promise<PostgresQueryResult<unknown>>;

export interface SentStatement {
  /** The name under which the connection prepares it; absent if it is not prepared. */
  readonly name?: string;
  readonly text: string;
  readonly values: unknown[];
}

/**
 * Wraps the pool for kysely and prepares its recurring statements. `names`: shared by all users of the pool; `sendOn`:
 * how statements are sent (default: by pg's own protocol); `enter`: called before a connection is taken, returns what
 * to call when it is given back.
 */
export function withPreparedStatements(
  pool: pg.Pool,
  names: StatementNames = createStatementNames(),
  sendOn: (client: pg.PoolClient) => SendStatement = sendWithPg,
  enter: () => Promise<() => void> = enterFreely,
): PostgresPool {
  // kysely identifies a connection by its client.
  const known = new WeakMap<pg.PoolClient, Lent>();
  return {
    options: pool.options,
    end: () => pool.end(),
    async connect() {
      const leave = await enter();
      try {
        const client = await pool.connect();
        const seen = known.get(client) ?? wrap(client, names, sendOn(client));
        known.set(client, seen);
        seen.lend(leave);
        return seen.connection;
      } catch (error) {
        leave();
        throw error;
      }
    },
  };
}

async function enterFreely(): Promise<() => void> {
  return () => undefined;
}

function sendWithPg(client: pg.PoolClient): SendStatement {
  return (statement) => client.query({ ...statement }) as Promise<PostgresQueryResult<unknown>>;
}

interface Lent {
  readonly connection: PostgresPoolClient;
  /** Called before each use; `leave` is called after it. */
  lend(leave: () => void): void;
}

function wrap(client: pg.PoolClient, names: StatementNames, send: SendStatement): Lent {
  // A caller that opened a transaction outside kysely must also close it.
  let wasInside = false;
  let leaveAfter: () => void = () => undefined;
  // A statement got no reply: it may still run, and its transaction may still be open.
  let isUnanswered = false;
  const answered: SendStatement = async (statement) => {
    try {
      return await send(statement);
    } catch (error) {
      if (!(error instanceof DatabaseError)) isUnanswered = true;
      throw error;
    }
  };
  const query = async (text: string, values: unknown[]): Promise<PostgresQueryResult<unknown>> => {
    const name = names.of(text);
    try {
      return await answered({ ...(name === undefined ? {} : { name }), text, values });
    } catch (error) {
      if (!isStalePlan(error)) throw error;
      // A migration changed a function's result type. Nothing was run. Inside a transaction, the second call
      // fails as well.
      if (name !== undefined) names.renew(text);
      return answered({ text, values });
    }
  };
  const isLeftOpen = (): boolean => isInside(client) && !wasInside;
  const connection = Object.defineProperties(
    {
      query: query as PostgresPoolClient["query"],
      release(destroy?: boolean) {
        // The next caller may take the connection during the release.
        const leave = leaveAfter;
        client.release(destroy === true || isUnanswered || isLeftOpen());
        leave();
      },
    },
    { processID: { get: () => (client as { processID?: number }).processID, enumerable: true } },
  );
  return {
    connection,
    lend(leave) {
      wasInside = isInside(client);
      leaveAfter = leave;
    },
  };
}

/** Returns whether a transaction is open. The next user of the connection would write into it. */
export function isInside(client: pg.PoolClient): boolean {
  const status = client.getTransactionStatus();
  return status === "T" || status === "E";
}

/** "cached plan must not change result type"; "cache lookup failed for function", if it was replaced during the call */
function isStalePlan(error: unknown): boolean {
  const { code, routine, message = "" } = error as { code?: string; routine?: string; message?: string };
  if (code === "XX000") return message.startsWith("cache lookup failed for function");
  return code === "0A000" && routine === "RevalidateCachedQuery";
}

export interface StatementNames {
  /** Returns the name, or undefined if the statement is not prepared (yet). */
  of(text: string): string | undefined;
  /** Gives the statement another name, so that connections prepare it again. */
  renew(text: string): void;
}

export function createStatementNames(): StatementNames {
  const uses = new Map<string, number>();
  const names = new Map<string, string>();
  let numbered = 0;
  const name = (text: string): string => {
    // The name shows the table that a statement reads, for lists of connections and network traces.
    const next = `dari_${(numbered += 1)}_${/\bfrom ([a-z_]+)/i.exec(text)?.[1] ?? ""}`.slice(0, nameCharsMax);
    names.set(text, next);
    return next;
  };
  return {
    of(text) {
      const known = names.get(text);
      if (known !== undefined) return known;
      if (names.size >= preparedMax) return undefined;
      const count = (uses.get(text) ?? 0) + 1;
      if (count >= preparedFromUse && isPlanned(text)) {
        uses.delete(text);
        return name(text);
      }
      if (uses.size >= countedMax) uses.clear();
      uses.set(text, count);
      return undefined;
    },
    renew: (text) => void name(text),
  };
}

/** Statements without a plan, such as `begin`, gain nothing from being prepared. */
function isPlanned(text: string): boolean {
  return /^\s*(select|with|insert|update|delete)\b/i.test(text);
}
