// Statements that come again are prepared, once per connection: planning some of them costs several times their run.
// Knows no statement.

import type { PostgresPool, PostgresPoolClient, PostgresQueryResult } from "kysely";
import pg from "pg";

const { DatabaseError } = pg;

/** A statement is prepared from this use on, so that texts that hardly repeat fill neither the table nor the server. */
const preparedFromUse = 5;
/** Each holds some tens of kilobytes in every connection. */
const preparedMax = 250;
const countedMax = 2_000;
/** Postgres cuts longer names off. */
const nameCharsMax = 63;

/** Brings one statement to a connection. */
export type Send = (statement: SentStatement) => Promise<PostgresQueryResult<unknown>>;

export interface SentStatement {
  /** Under which the connection keeps it prepared; absent: it does not. */
  readonly name?: string;
  readonly text: string;
  readonly values: unknown[];
}

/**
 * The pool as kysely sees it, with its recurring statements prepared under names of their own. `names`: to be shared by
 * all that use one pool; `sendOn`: how statements go to a connection, else plainly; `enter`: what is waited for before
 * one is taken, and the way out for when it is given back.
 */
export function preparing(
  pool: pg.Pool,
  names: Names = createNames(),
  sendOn: (client: pg.PoolClient) => Send = plainly,
  enter: () => Promise<() => void> = enterFreely,
): PostgresPool {
  // kysely knows a connection by its client.
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

function plainly(client: pg.PoolClient): Send {
  return (statement) => client.query({ ...statement }) as Promise<PostgresQueryResult<unknown>>;
}

interface Lent {
  readonly connection: PostgresPoolClient;
  /** Before each use; `leave` is called after it. */
  lend(leave: () => void): void;
}

function wrap(client: pg.PoolClient, names: Names, send: Send): Lent {
  // A caller that opened a transaction outside kysely must also close it.
  let wasInside = false;
  let leaveAfter: () => void = () => undefined;
  // The server never said what became of a statement: it may still come to it, and to a transaction without an end.
  let isUnanswered = false;
  const answered: Send = async (statement) => {
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
      // A migration changed what a function answers. Nothing was run; inside a transaction this fails as well.
      if (name !== undefined) names.renew(text);
      return answered({ text, values });
    }
  };
  const isLeftOpen = (): boolean => isInside(client) && !wasInside;
  const connection = Object.defineProperties(
    {
      query: query as PostgresPoolClient["query"],
      release(destroy?: boolean) {
        // The next one may take the connection within.
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

/** Returns whether a transaction is open. The next user of such a connection would write into it. */
function isInside(client: pg.PoolClient): boolean {
  const status = client.getTransactionStatus();
  return status === "T" || status === "E";
}

/** "cached plan must not change result type"; "cache lookup failed for function", which was replaced under the call */
function isStalePlan(error: unknown): boolean {
  const { code, routine, message = "" } = error as { code?: string; routine?: string; message?: string };
  if (code === "XX000") return message.startsWith("cache lookup failed for function");
  return code === "0A000" && routine === "RevalidateCachedQuery";
}

export interface Names {
  /** Undefined: not to be prepared (yet). */
  of(text: string): string | undefined;
  /** Gives the statement another name, so that connections prepare it again. */
  renew(text: string): void;
}

export function createNames(): Names {
  const uses = new Map<string, number>();
  const names = new Map<string, string>();
  let numbered = 0;
  const name = (text: string): string => {
    // The name shows what a statement reads, in lists of connections and in their traffic.
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

/** What has a plan; the rest, as `begin`, has nothing to save. */
function isPlanned(text: string): boolean {
  return /^\s*(select|with|insert|update|delete)\b/i.test(text);
}
