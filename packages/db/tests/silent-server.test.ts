// A server that is silent for longer than a statement may take, and then continues.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "@dari/testkit";
import { Kysely, PostgresDialect, sql } from "kysely";
import pg from "pg";
import { clientConfig } from "../src/database.ts";
import { withPreparedStatements } from "../src/prepared-statements.ts";
import { createTenants } from "../src/tenant-transaction.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());

const ways = {
  dari_app: (pool: pg.Pool) =>
    new Kysely<never>({ dialect: new PostgresDialect({ pool: withPreparedStatements(pool) }) }),
  dari_tenant: (pool: pg.Pool) => createTenants(pool).of("org_none"),
};

test.each(["dari_app", "dari_tenant"] as const)(
  "no caller gets a connection whose transaction can begin late (%s)",
  async (role) => {
    const settings = clientConfig({ url: database.url, applicationName: "dari-test", role });
    const pool = new pg.Pool({ ...settings, max: 1, query_timeout: 300 });
    pool.on("error", () => undefined);
    const db = ways[role](pool);
    const pidOf = async (): Promise<number> => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db);
      return rows[0]!.pid;
    };
    const pid = await pidOf();
    // A refused statement was answered.
    await expect(sql`select 1 / 0`.execute(db)).rejects.toThrow("division");
    expect(await pidOf()).toBe(pid);
    process.kill(pid, "SIGSTOP");
    try {
      await expect(db.transaction().execute((tx) => sql`select 1`.execute(tx))).rejects.toThrow("read timeout");
    } finally {
      process.kill(pid, "SIGCONT");
    }
    expect(await pidOf()).not.toBe(pid);
    await pool.end();
  },
);
