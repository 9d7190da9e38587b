// Creates a database for each test file, cloned from one that is migrated once per schema.

import { createHash, randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { migrate, openDatabase, type Database } from "@dari/db";
import { edgeGuardSql } from "./guard-edges.ts";

export interface TestDatabase {
  /** The database's own URL, with the owner's rights: for servers that a test starts. */
  readonly url: string;
  /** Connected as the application's role. */
  readonly db: Database;
  /** Closes the connections and drops the database. */
  close(): Promise<void>;
}

/** Names the advisory lock under which migrated databases are created and cloned. */
const migratedDatabaseLock = 0x74657374;

/**
 * Clones the migrated database; creates it first if the server has none of this schema. The server is the one that the
 * test run started, or the development server of this machine.
 */
export async function createTestDatabase(options: { poolMax?: number } = {}): Promise<TestDatabase> {
  const server = process.env["DARI_TEST_DATABASE_URL_RESOLVED"] ?? "postgres://dari@127.0.0.1:5999/postgres";
  const migrated = `dari_migrated_${await schemaHash()}`;
  const name = `dari_test_${process.pid}_${randomBytes(6).toString("hex")}`;
  await onServer(server, async (client) => {
    await client.query("select pg_advisory_lock($1)", [migratedDatabaseLock]);
    await ensureMigratedDatabase(client, server, migrated);
    // The default writes each page to the log as well; on a test server the copied files alone are twice as fast.
    await client.query(`create database ${name} template ${migrated} strategy file_copy`);
  });
  const url = urlOf(server, name);
  const poolMax = options.poolMax ?? 8;
  const db = openDatabase({ url, poolMax, tenants: poolMax, role: "dari_app", applicationName: "dari-test" });
  return {
    url,
    db,
    async close() {
      await db.close();
      await onServer(server, (client) => client.query(`drop database if exists ${name} with (force)`));
    },
  };
}

async function ensureMigratedDatabase(client: ServerConnection, server: string, migrated: string): Promise<void> {
  const known = await client.query("select 1 from pg_database where datname = $1", [migrated]);
  if (known.rowCount === 1) return;
  // Migrated under another name first, so that a run that dies leaves no database that looks complete.
  const draft = `${migrated}_draft`;
  await client.query(`drop database if exists ${draft} with (force)`);
  await client.query(`create database ${draft}`);
  await migrate(urlOf(server, draft));
  await onServer(urlOf(server, draft), (owner) => owner.query(edgeGuardSql()));
  await client.query(`alter database ${draft} rename to ${migrated}`);
}

/** Returns a hash of migrations, functions, policies and guarded edges, so each combination gets its own database. */
async function schemaHash(): Promise<string> {
  const root = join(import.meta.dirname, "..", "..", "db");
  const hash = createHash("sha256");
  for (const folder of ["migrations", "functions"]) {
    for (const name of (await readdir(join(root, folder))).sort()) {
      hash.update(`${folder}/${name}\0`).update(await readFile(join(root, folder, name)));
    }
  }
  hash.update(await readFile(join(root, "src", "row-security.ts")));
  hash.update(edgeGuardSql());
  return hash.digest("hex").slice(0, 16);
}

interface ServerConnection {
  query(text: string, values?: unknown[]): Promise<{ rowCount: number | null }>;
}

async function onServer<T>(server: string, work: (client: ServerConnection) => Promise<T>): Promise<T> {
  const maintenance = openDatabase({ url: server, poolMax: 1, applicationName: "dari-testkit" });
  const client = await maintenance.pool.connect();
  try {
    // Other test files may be creating the database for a while.
    await client.query("set lock_timeout = 0");
    await client.query("set statement_timeout = 0");
    return await work(client);
  } finally {
    client.release(true);
    await maintenance.close();
  }
}

function urlOf(server: string, database: string): string {
  const url = new URL(server);
  url.pathname = `/${database}`;
  return url.href;
}
