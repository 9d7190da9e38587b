// What is derived from the schema must match it: row types, states, ownership.

import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  attemptOutcomes,
  firingOutcomes,
  inputMachine,
  messageMachine,
  onBusyChoices,
  overlapPolicies,
  scheduleMachine,
  schedulePauseReasons,
  sessionMachine,
  sourceSnapshotMachine,
  versionMachine,
} from "@dari/domain";
import { createTestDatabase, type TestDatabase } from "@dari/testkit";
import { sql } from "kysely";
import pg from "pg";
import { migrate } from "../src/index.ts";
import { renderSchema } from "./render-schema.ts";

const packageDir = join(import.meta.dirname, "..");

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());

test("the committed row types are those of the schema", async () => {
  const codegen = join(packageDir, "node_modules/kysely-codegen/dist/cli/bin.js");
  const run = promisify(execFile)(process.execPath, [codegen, "--verify", "--url", database.url], { cwd: packageDir });
  await expect(run).resolves.toBeDefined();
});

test("src/generated/schema.sql shows the schema after all migrations", async () => {
  const file = join(packageDir, "src/generated/schema.sql");
  const schema = await renderSchema(database.db.kysely);
  if (process.env["DARI_WRITE_SCHEMA"] === "1") await writeFile(file, schema);
  expect(await readFile(file, "utf8")).toBe(schema);
});

describe("CHECK constraints list exactly the states of the machines", () => {
  const columns: [string, string, readonly string[]][] = [
    ["messages", "state", messageMachine.states],
    ["message_inputs", "state", inputMachine.states],
    ["sessions", "schedule", scheduleMachine.states],
    ["sessions", "on_busy", onBusyChoices],
    ["sessions", "state", sessionMachine.states],
    ["versions", "state", versionMachine.states],
    ["source_snapshots", "state", sourceSnapshotMachine.states],
    ["attempts", "outcome", attemptOutcomes],
    ["schedules", "overlap", overlapPolicies],
    ["schedules", "paused_reason", schedulePauseReasons],
    ["schedule_firings", "outcome", firingOutcomes],
  ];
  test.each(columns)("%s.%s", async (table, column, states) => {
    const result = await sql<{ text: string }>`select pg_get_constraintdef(oid) as text from pg_constraint
      where conname = ${`${table}_${column}_check`}`.execute(database.db.kysely);
    const named = [...(result.rows[0]?.text ?? "").matchAll(/'([^']+)'::text/g)].map((match) => match[1]);
    expect(named.sort()).toEqual([...states].sort());
  });
});

test("the application's role owns no table and every tenant table carries its organization", async () => {
  const owned = await sql<{ name: string }>`select tablename as name from pg_tables
    where schemaname = 'dari' and tableowner = 'dari_app'`.execute(database.db.kysely);
  expect(owned.rows).toEqual([]);
  const without = await sql<{ name: string }>`select t.tablename as name from pg_tables t
    where t.schemaname = 'dari' and t.tablename not like 'schema_migrations%' and not exists (
      select 1 from information_schema.columns c where c.table_schema = 'dari' and c.table_name = t.tablename
        and c.column_name = 'organization_id') order by 1`.execute(database.db.kysely);
  expect(without.rows.map((row) => row.name)).toEqual([
    "leaders",
    "model_prices",
    "organizations",
    "platform_stops",
    "sign_in_tries",
    "sweeps",
    "workers",
  ]);
  const user = await sql<{ name: string }>`select current_user as name`.execute(database.db.kysely);
  expect(user.rows[0]?.name).toBe("dari_app");
});

test("twenty programs can prepare one database concurrently", async () => {
  const before = await functionIds();
  const results = await Promise.all(Array.from({ length: 20 }, () => migrate(database.url)));
  // Replacing a function breaks running calls.
  expect(await functionIds()).toEqual(before);
  expect(results.every((result) => result.applied.length === 0)).toBe(true);
});

test("programs that start concurrently on an empty database wait for one another", async () => {
  const owner = new pg.Client({ connectionString: database.url });
  await owner.connect();
  const url = new URL(database.url);
  const name = `${url.pathname.slice(1)}_empty`;
  await owner.query(`create database "${name}"`);
  url.pathname = `/${name}`;
  try {
    const results = await Promise.all(Array.from({ length: 6 }, () => migrate(url.href)));
    expect(results.filter((result) => result.applied.length > 0)).toHaveLength(1);
  } finally {
    await owner.query(`drop database "${name}" with (force)`);
    await owner.end();
  }
});

async function functionIds(): Promise<string[]> {
  const result = await sql<{ id: string }>`select oid::text as id from pg_proc
    where pronamespace = 'dari'::regnamespace order by oid`.execute(database.db.kysely);
  return result.rows.map(({ id }) => id);
}

test("a database from before 1.0 is refused, and the error says how to keep its sessions", async () => {
  const owner = new pg.Client({ connectionString: database.url });
  await owner.connect();
  const url = new URL(database.url);
  const name = `${url.pathname.slice(1)}_older`;
  await owner.query(`create database "${name}"`);
  url.pathname = `/${name}`;
  const older = new pg.Client({ connectionString: url.href });
  await older.connect();
  try {
    await older.query(`create schema dari;
      create table dari.schema_migrations (name varchar(255) primary key, timestamp varchar(255) not null);
      insert into dari.schema_migrations values ('0001_tables', ''), ('0051_answer_recording', '')`);
    await expect(migrate(url.href)).rejects.toThrow(
      /^the database was created before 1\.0 .*git checkout .*0001_tables\.sql.*dari session export .*session import/,
    );
    const { rows } = await older.query("select count(*)::int as tables from pg_tables where schemaname = 'dari'");
    expect(rows).toEqual([{ tables: 1 }]);
  } finally {
    await older.end();
    await owner.query(`drop database "${name}" with (force)`);
    await owner.end();
  }
});
