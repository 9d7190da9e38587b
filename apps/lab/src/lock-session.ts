// Holds a session's row, so that a test decides in which order the steps of a turn and of clients get it.

import type { Database } from "@dari/db";
import { waitUntil } from "@dari/testkit";

export interface LockedSession extends AsyncDisposable {
  /** Resolves when a statement that contains one of these texts waits for a lock. */
  waitedForBy(statements: readonly string[]): Promise<void>;
}

/** Programs wait at most 8 s for a lock, so do little meanwhile. */
export async function lockSession(db: Database, sessionId: string): Promise<LockedSession> {
  const connection = await db.pool.connect();
  await connection.query("begin");
  // The statements of others are visible to the owner only.
  await connection.query("set local role none");
  await connection.query("select 1 from sessions where id = $1 for update", [sessionId]);
  return {
    async waitedForBy(statements) {
      const find = async (): Promise<boolean> => {
        // A transaction sees the first look again.
        await connection.query("select pg_stat_clear_snapshot()");
        const { rows } = await connection.query(
          `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
            and query ~ $1`,
          [statements.join("|")],
        );
        return rows.length > 0;
      };
      await waitUntil(find, { what: `${statements.join(" or ")} to wait for the session's row` });
    },
    async [Symbol.asyncDispose]() {
      await connection.query("rollback");
      connection.release();
    },
  };
}
