// Removes the organization's condition from the queries of calls, in a test's own database and process, so that only
// row-level security is left. The platform has no such switch: statements are rewritten on their way to the server, and
// the database's owner replaces its functions.

import { openDatabase, type Database } from "@dari/db";
import type { TestApi } from "./api-fixture.ts";

/** A comparison of the organization's column with a parameter. */
const scoping = /(?:"?\b\w+"?\.)?"?\borganization_id"? = (\$\d+|p_organization)\b/g;

/** The parameter stays, because the server must know its type. */
function withoutScoping(text: string): string {
  return text.replace(scoping, "($1::text is not null)");
}

export interface Unscoped extends AsyncDisposable {
  /** Statements of calls that lost their condition. */
  readonly statements: ReadonlySet<string>;
  /** Functions in the database that lost it. */
  readonly functions: readonly string[];
  /** Row-level security is switched off by the tables' owner: nothing is left. */
  lowerFence(): Promise<void>;
}

/** Called before the first call: open connections are not rewritten. */
export async function removeScoping(api: TestApi): Promise<Unscoped> {
  const { tenantPool } = api.db;
  if (tenantPool === undefined || tenantPool.totalCount > 0) throw new Error("calls have been made before");
  const statements = new Set<string>();
  tenantPool.on("connect", (client) => {
    const query = client.query.bind(client) as (statement: unknown, ...rest: unknown[]) => unknown;
    const rewriting = (statement: unknown, ...rest: unknown[]): unknown =>
      query(rewritten(statement, statements), ...rest);
    Object.assign(client, { query: rewriting });
  });
  const owner = openDatabase({ url: api.db.url, poolMax: 1, applicationName: "dari-test-owner" });
  return {
    statements,
    functions: await rewriteFunctions(owner),
    lowerFence: () => disableRowSecurity(owner),
    [Symbol.asyncDispose]: () => owner.close(),
  };
}

/** A text, a statement with values, or one that the driver is about to send. */
function rewritten(statement: unknown, statements: Set<string>): unknown {
  if (typeof statement === "string") return note(statement, statements);
  const sent = statement as { text: string };
  sent.text = note(sent.text, statements);
  return sent;
}

function note(text: string, statements: Set<string>): string {
  const changed = withoutScoping(text);
  if (changed !== text) statements.add(text);
  return changed;
}

async function rewriteFunctions(owner: Database): Promise<string[]> {
  const { rows } = await owner.pool.query<{ name: string; text: string }>(
    `select proname as name, pg_get_functiondef(oid) as text from pg_proc
      where pronamespace = 'dari'::regnamespace and prokind = 'f'`,
  );
  const changed: string[] = [];
  for (const { name, text } of rows) {
    const without = withoutScoping(text);
    if (without === text) continue;
    await owner.pool.query(without);
    changed.push(name);
  }
  return changed;
}

async function disableRowSecurity(owner: Database): Promise<void> {
  const { rows } = await owner.pool.query<{ name: string }>(
    `select relname as name from pg_class where relnamespace = 'dari'::regnamespace and relrowsecurity`,
  );
  for (const { name } of rows) await owner.pool.query(`alter table dari.${name} disable row level security`);
}
