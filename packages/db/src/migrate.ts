// Brings a database to this release's schema: SQL files in order, then every function replaced by its current text.

import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { lowestRelease } from "@dari/domain";
import { Kysely, PostgresDialect, sql } from "kysely";
import { Migrator, type Migration } from "kysely/migration";
import pg from "pg";
import { clientConfig, schemaName } from "./database.ts";
import { createRole, enableRowSecurity, grantRoleToSelf } from "./row-security.ts";

const packageDir = join(import.meta.dirname, "..");
/** Has the version of all packages. */
const versionFile = join(packageDir, "../../package.json");
const migrationsDir = join(packageDir, "migrations");
const functionsDir = join(packageDir, "functions");
const migrationsTable = "schema_migrations";

/** The advisory lock with which one process at a time prepares a database. */
const prepareLock = 0x64617269;
const lockLookEveryMs = 200;

type AnyDatabase = Kysely<Record<string, never>>;

/**
 * Creates the schema, the roles, the tables and the functions where they are missing. Safe to run from many processes
 * at once. `url` names a role that may create roles, or the role `dari_app` exists already. `hasRowSecurity`: calls of
 * organizations can run behind row-level security. Throws if the database was created before 1.0.
 */
export async function migrate(url: string): Promise<{ applied: string[]; hasRowSecurity: boolean }> {
  const pool = new pg.Pool({ ...clientConfig({ url, applicationName: "dari-migrate" }), max: 2 });
  const db: AnyDatabase = new Kysely({ dialect: new PostgresDialect({ pool }) });
  const lock = new pg.Client(clientConfig({ url, applicationName: "dari-migrate" }));
  // A connection that breaks fails its statement. The event itself can be ignored.
  const ignore = (): void => undefined;
  pool.on("error", ignore);
  lock.on("error", ignore);
  try {
    await lock.connect();
    await takeLock(lock);
    await refuseOlderSchema(db);
    await prepareRoles(db);
    const applied = await applyMigrations(db);
    await replaceFunctions(db);
    return { applied, hasRowSecurity: await enableRowSecurity(db) };
  } finally {
    await lock.end().catch(() => undefined);
    await db.destroy();
  }
}

/**
 * Polls for the lock, because another process may hold it for a while: index builds would wait for a statement that
 * waits for the lock.
 */
async function takeLock(lock: pg.Client): Promise<void> {
  for (;;) {
    const { rows } = await lock.query<{ taken: boolean }>("select pg_try_advisory_lock($1) as taken", [prepareLock]);
    if (rows[0]?.taken === true) return;
    await sleep(lockLookEveryMs);
  }
}

/** Throws for a database whose first migration is not this release's: checkouts from before 1.0 had others. */
async function refuseOlderSchema(db: AnyDatabase): Promise<void> {
  const table = `${schemaName}.${migrationsTable}`;
  const known = await sql<{ id: string | null }>`select to_regclass(${table})::text as id`.execute(db);
  if ((known.rows[0]?.id ?? null) === null) return;
  const first = await sql<{ name: string }>`select name from ${sql.table(table)} order by name limit 1`.execute(db);
  const [ours] = await migrationNames();
  const { name } = first.rows[0] ?? {};
  if (name === undefined || name === ours) return;
  throw new Error(
    `the database was created before 1.0 (first migration ${name}, expected ${ours}) and cannot be upgraded; ` +
      "check out the last commit before 1.0 (`git checkout $(git log -1 --format=%h -- " +
      `packages/db/migrations/${name}.sql)~1\`), start it and export each session ` +
      "(`dari session export <id> --output <file>`); then start this release with an empty database and import them " +
      "(`dari session import <file>`); see docs/upgrading.md",
  );
}

/** Creates the schema and the role `dari_app`, which can use everything that the migrations create. */
async function prepareRoles(db: AnyDatabase): Promise<void> {
  await sql`create schema if not exists ${sql.ref(schemaName)}`.execute(db);
  const role = await sql`select 1 from pg_roles where rolname = 'dari_app'`.execute(db);
  if (role.rows.length === 0) {
    try {
      await createRole(db, "dari_app");
    } catch (cause) {
      throw new Error(
        "the database role dari_app is missing and cannot be created: give DATABASE_URL a role with CREATEROLE, " +
          "or run `create role dari_app nologin; grant dari_app to <that role>` once",
        { cause },
      );
    }
  }
  await grantRoleToSelf(db, "dari_app");
  // For what is created from now on: triggers may write to a new table at once, for programs of the previous release.
  const schema = sql.ref(schemaName);
  await sql`grant usage on schema ${schema} to dari_app`.execute(db);
  await sql`alter default privileges in schema ${schema}
    grant select, insert, update, delete on tables to dari_app`.execute(db);
  await sql`alter default privileges in schema ${schema} grant execute on functions to dari_app`.execute(db);
}

/**
 * Applies migrations one after the other, each in its own transaction: its locks are released before the next one
 * begins.
 */
async function applyMigrations(db: AnyDatabase): Promise<string[]> {
  const files = await readMigrations();
  const migrator = new Migrator({
    db,
    provider: { getMigrations: () => Promise.resolve(files) },
    migrationTableSchema: schemaName,
    migrationTableName: migrationsTable,
    migrationLockTableName: `${migrationsTable}_lock`,
  });
  const applied: string[] = [];
  for (const { name, executedAt } of await migrator.getMigrations()) {
    if (executedAt !== undefined) continue;
    const { error } = await migrator.migrateTo(name, { disableTransactions: files[name]!.isConcurrent });
    if (error !== undefined) throw new Error(`the database could not be migrated: ${name}`, { cause: error });
    applied.push(name);
    // Before the triggers and functions that use a new table: calls of the previous release may run them.
    await enableRowSecurity(db);
  }
  return applied;
}

/** Returns the newest migration of this release. */
export async function newestMigration(): Promise<string> {
  return (await migrationNames()).at(-1) ?? "";
}

/** Returns the names of this release's migrations, in order. */
async function migrationNames(): Promise<string[]> {
  const files = (await readdir(migrationsDir)).filter((name) => name.endsWith(".sql")).sort();
  return files.map((name) => name.slice(0, -".sql".length));
}

interface MigrationFile extends Migration {
  /** Its statements run one by one, outside of any transaction, and can be repeated. */
  readonly isConcurrent: boolean;
}

async function readMigrations(): Promise<Record<string, MigrationFile>> {
  const migrations: Record<string, MigrationFile> = {};
  for (const name of await migrationNames()) {
    const text = await readFile(join(migrationsDir, `${name}.sql`), "utf8");
    const isConcurrent = /^-- Transaction: none/m.test(text);
    // Several statements in one call are one transaction.
    const statements = isConcurrent ? statementsOf(text) : [text];
    migrations[name] = {
      isConcurrent,
      async up(tx) {
        for (const each of statements) await withPatience(tx, isConcurrent && buildsBeside(each), each);
      },
    };
  }
  return migrations;
}

/** Splits at semicolons that end a line, outside of dollar quotes. */
function statementsOf(text: string): string[] {
  const statements: string[] = [];
  let open = "";
  for (const part of text.split(/(?<=;)$/m)) {
    open += part;
    if (open.split("$$").length % 2 === 0) continue;
    statements.push(open);
    open = "";
  }
  return [...statements, open].filter((statement) => statement.trim() !== "");
}

/** Returns whether a statement builds an index concurrently. */
function buildsBeside(statement: string): boolean {
  return /\bindex\s+concurrently\b/i.test(statement);
}

/**
 * Runs a statement. If `patient`, it waits for all earlier transactions, because it blocks none. Other statements block
 * later ones, so they give up at the usual lock timeout, and the next start tries again.
 */
async function withPatience(tx: Kysely<unknown>, patient: boolean, statement: string): Promise<void> {
  if (patient) await sql`set lock_timeout = 0`.execute(tx);
  try {
    await sql.raw(statement).execute(tx);
  } finally {
    if (patient) await sql`set lock_timeout to default`.execute(tx);
  }
}

/**
 * The schema carries the lowest release whose workers may claim. `is_outdated`: whether a worker's row has an older
 * one. A worker whose row was deleted because it was silent is not outdated. (primary key of workers)
 */
const releaseFunctions = `create or replace function lowest_release() returns int language sql immutable as $$
  select ${lowestRelease}
$$;
create or replace function is_outdated(p_worker text) returns boolean language sql stable as $$
  select coalesce((select w.release < lowest_release() from workers w where w.id = p_worker), false)
$$;`;

/** Replaces the functions, unless equal ones or those of a newer version are installed. */
async function replaceFunctions(db: AnyDatabase): Promise<void> {
  const names = (await readdir(functionsDir)).filter((name) => name.endsWith(".sql")).sort();
  const files = await Promise.all(names.map((name) => readFile(join(functionsDir, name), "utf8")));
  const texts = [releaseFunctions, ...files];
  const { version } = JSON.parse(await readFile(versionFile, "utf8")) as { version: string };
  // Replacing functions breaks running calls, so equal ones are kept.
  const own = `functions of ${version}, ${createHash("sha256").update(texts.join("\0")).digest("hex")}`;
  await db.transaction().execute(async (tx) => {
    const stored = await sql<{ text: string | null }>`
      select obj_description(${schemaName}::regnamespace, 'pg_namespace') as text`.execute(tx);
    const installed = stored.rows[0]?.text ?? "";
    if (installed === own || isNewer(installed, own)) return;
    // A changed result type cannot be replaced in place, so drop all functions; no other transaction sees this. Trigger
    // functions belong to the migrations: dropping them needs a lock on their table.
    const old = await sql<{ name: string }>`
      select oid::regprocedure::text as name from pg_proc where pronamespace = ${schemaName}::regnamespace
        and prorettype <> 'pg_catalog.trigger'::regtype`.execute(tx);
    for (const { name } of old.rows) await sql.raw(`drop function if exists ${name} cascade`).execute(tx);
    for (const text of texts) await sql.raw(text).execute(tx);
    await sql.raw(`comment on schema ${schemaName} is '${own}'`).execute(tx);
  });
}

/** Compares the versions of two comments on the schema. A comment without one is the older. */
function isNewer(comment: string, other: string): boolean {
  const [ours = [], theirs = []] = [comment, other].map((text) =>
    (/^functions of (\d+)\.(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number),
  );
  const at = ours.findIndex((part, index) => part !== theirs[index]);
  return at >= 0 && ours[at]! > (theirs[at] ?? -1);
}
