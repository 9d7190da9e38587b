// Two connections that meet at a lock: one keeps its transaction open, the other runs until it waits for it.

import { openDatabase, type Database } from "../../src/index.ts";

/** A single connection to the database, so that `begin` and the following statements are one transaction. */
export interface Connection extends AsyncDisposable {
  readonly db: Database;
  /** The pid of its server process. */
  readonly pid: number;
  run(statement: string): Promise<void>;
}

/** `role` undefined: the owner, who may end the processes of others. */
export async function connect(url: string, role?: "dari_app"): Promise<Connection> {
  const db = openDatabase({ url, poolMax: 1, applicationName: "dari-step", ...(role === undefined ? {} : { role }) });
  const { rows } = await db.pool.query<{ pid: number }>("select pg_backend_pid() as pid");
  return {
    db,
    pid: rows[0]?.pid ?? 0,
    run: async (statement) => void (await db.pool.query(statement)),
    [Symbol.asyncDispose]: () => db.close(),
  };
}

export type Ended = "commit" | "rollback";

export interface Meeting<A, B> {
  readonly first: A;
  readonly second: B;
  /** Whether the second waited for the first's end, instead of finishing before. */
  readonly waited: boolean;
}

/**
 * Runs `first` on `a` and keeps its transaction open, starts `second` on `b`, ends the first transaction once the
 * second waits for it or has finished, and returns both results.
 */
export async function meet<A, B>(
  [a, b]: readonly [Connection, Connection],
  first: (db: Database) => Promise<A>,
  ended: Ended,
  second: (db: Database) => Promise<B>,
  watcher: Connection,
): Promise<Meeting<A, B>> {
  await a.run("begin");
  try {
    const answer = await first(a.db);
    const pending = observed(second(b.db));
    const waited = await waitsFor(watcher, b.pid, a.pid, pending);
    await a.run(ended);
    return { first: answer, second: await pending.promise, waited };
  } catch (error) {
    await a.run("rollback");
    throw error;
  }
}

export interface Observed<T> {
  readonly promise: Promise<T>;
  readonly isSettled: () => boolean;
}

export function observed<T>(promise: Promise<T>): Observed<T> {
  let settled = false;
  const settle = (): void => void (settled = true);
  promise.then(settle, settle);
  return { promise, isSettled: () => settled };
}

const waitsWithinMs = 20_000;

/** Resolves with true once `waiting` waits for a lock of `holder`, with false if it finishes first. */
export async function waitsFor(
  watcher: Connection,
  waiting: number,
  holder: number,
  pending: Observed<unknown>,
): Promise<boolean> {
  const deadline = performance.now() + waitsWithinMs;
  while (performance.now() < deadline) {
    if (pending.isSettled()) return false;
    const { rows } = await watcher.db.pool.query<{ waits: boolean }>(
      "select $2 = any (pg_blocking_pids($1)) as waits",
      [waiting, holder],
    );
    if (rows[0]?.waits === true) return true;
  }
  throw new Error("the second neither waited for the first nor came through");
}
