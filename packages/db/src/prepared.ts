// Statements that come again are prepared, once per connection: planning some of them costs several times their run.
// Knows no statement.

import type { PostgresPool, PostgresPoolClient, PostgresQueryResult } from "kysely";
import type pg from "pg";

/** A statement is prepared from this use on, so that texts that hardly repeat fill neither the table nor the server. */
const preparedFromUse = 5;
/** Each holds some tens of kilobytes in every connection. */
const preparedMax = 250;
const countedMax = 2_000;
/** Postgres cuts longer names off. */
const nameCharsMax = 63;

/** The pool as kysely sees it, with its recurring statements prepared under names of their own. */
export function preparing(pool: pg.Pool): PostgresPool {
  const names = createNames();
  // kysely knows a connection by its client.
  const known = new WeakMap<pg.PoolClient, PostgresPoolClient>();
  return {
    options: pool.options,
    end: () => pool.end(),
    async connect() {
      const client = await pool.connect();
      const seen = known.get(client) ?? wrap(client, names);
      known.set(client, seen);
      return seen;
    },
  };
}

function wrap(client: pg.PoolClient, names: Names): PostgresPoolClient {
  const query = async (text: string, values: unknown[]): Promise<PostgresQueryResult<unknown>> => {
    const name = names.of(text);
    try {
      return (await client.query({
        ...(name === undefined ? {} : { name }),
        text,
        values,
      })) as PostgresQueryResult<unknown>;
    } catch (error) {
      if (!isStalePlan(error)) throw error;
      // A migration changed what a function answers. Nothing was run; inside a transaction this fails as well.
      if (name !== undefined) names.renew(text);
      return client.query(text, values) as Promise<PostgresQueryResult<unknown>>;
    }
  };
  return Object.defineProperties(
    {
      query: query as PostgresPoolClient["query"],
      release: (destroy?: boolean) => client.release(destroy),
    },
    { processID: { get: () => (client as { processID?: number }).processID, enumerable: true } },
  );
}

/** "cached plan must not change result type"; "cache lookup failed for function", which was replaced under the call */
function isStalePlan(error: unknown): boolean {
  const { code, routine, message = "" } = error as { code?: string; routine?: string; message?: string };
  if (code === "XX000") return message.startsWith("cache lookup failed for function");
  return code === "0A000" && routine === "RevalidateCachedQuery";
}

interface Names {
  /** Undefined: not to be prepared (yet). */
  of(text: string): string | undefined;
  /** Gives the statement another name, under which connections prepare it anew. */
  renew(text: string): void;
}

function createNames(): Names {
  const uses = new Map<string, number>();
  const names = new Map<string, string>();
  let numbered = 0;
  const name = (text: string): string => {
    // Whoever looks at a connection or at its traffic sees what is asked.
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
