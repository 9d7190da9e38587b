// Brings a database to this release's schema: SQL files in order, then every function replaced by its current text.

import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Kysely, PostgresDialect, sql } from "kysely";
import { Migrator, type Migration } from "kysely/migration";
import pg from "pg";
import { clientConfig, schemaName } from "./database.ts";
import { createRole, grantRoleToSelf, enableRowSecurity } from "./row-security.ts";

const migrationsDir = join(import.meta.dirname, "..", "migrations");
const functionsDir = join(import.meta.dirname, "..", "functions");

/** The advisory lock with which one process at a time prepares a database. */
const prepareLock = 0x64617269;
const lockLookEveryMs = 200;

/**
 * Creates the schema, the roles, the tables and the functions where they are missing. Safe to run from many processes
 * at once. `url` names a role that may create roles, or the role `dari_app` exists already. `hasRowSecurity`: calls of
 * organizations can run behind row-level security.
 */
export async function migrate(url: string): Promise<{ applied: string[]; hasRowSecurity: boolean }> {
  const pool = new pg.Pool({ ...clientConfig({ url, applicationName: "dari-migrate" }), max: 2 });
  const db = new Kysely<Record<string, never>>({ dialect: new PostgresDialect({ pool }) });
  const lock = new pg.Client(clientConfig({ url, applicationName: "dari-migrate" }));
  // A connection that breaks fails its statement. The event itself can be ignored.
  const ignore = (): void => undefined;
  pool.on("error", ignore);
  lock.on("error", ignore);
  try {
    await lock.connect();
    await takeLock(lock);
    await prepareRoles(db);
    const applied = await applyMigrations(db);
    await replaceFunctions(db);
    if (applied.length > 0) await fillWhatOldFunctionsLeft(db);
    await grantIfMissing(db);
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

/** Fills in turns that failed during a migration, with the functions of the previous release. */
async function fillWhatOldFunctionsLeft(db: Kysely<Record<string, never>>): Promise<void> {
  await sql`update ${sql.table(`${schemaName}.messages`)} set failed_at = completed_at
    where state = 'failed' and failed_at is null and copied_from is null`.execute(db);
}

async function prepareRoles(db: Kysely<Record<string, never>>): Promise<void> {
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
}

/**
 * Applies migrations one after the other, each in its own transaction: its locks are released before the next one
 * begins.
 */
async function applyMigrations(db: Kysely<Record<string, never>>): Promise<string[]> {
  const files = await readMigrations();
  const migrator = new Migrator({
    db,
    provider: { getMigrations: () => Promise.resolve(files) },
    migrationTableSchema: schemaName,
    migrationTableName: "schema_migrations",
    migrationLockTableName: "schema_migrations_lock",
  });
  const applied: string[] = [];
  for (const { name, executedAt } of await migrator.getMigrations()) {
    if (executedAt !== undefined) continue;
    if (applied.length === 0) await openNewTables(db);
    const { error } = await migrator.migrateTo(name, { disableTransactions: files[name]!.isConcurrent });
    if (error !== undefined) throw new Error(`the database could not be migrated: ${name}`, { cause: error });
    applied.push(name);
    // Before the triggers and functions that use a new table: calls of the previous release may run them.
    await enableRowSecurity(db);
  }
  return applied;
}

/** Grants access to new tables at once: triggers may write to them for programs of the previous release. */
async function openNewTables(db: Kysely<Record<string, never>>): Promise<void> {
  await sql`alter default privileges in schema ${sql.ref(schemaName)}
    grant select, insert, update, delete on tables to dari_app`.execute(db);
}

/** Returns the newest migration of this release. */
export async function newestMigration(): Promise<string> {
  return (await migrationFiles()).at(-1)?.slice(0, -".sql".length) ?? "";
}

async function migrationFiles(): Promise<string[]> {
  return (await readdir(migrationsDir)).filter((name) => name.endsWith(".sql")).sort();
}

interface MigrationFile extends Migration {
  /** Its statements run one by one, outside of any transaction, and can be repeated. */
  readonly isConcurrent: boolean;
}

async function readMigrations(): Promise<Record<string, MigrationFile>> {
  const names = await migrationFiles();
  const migrations: Record<string, MigrationFile> = {};
  for (const name of names) {
    const text = await readFile(join(migrationsDir, name), "utf8");
    const isConcurrent = /^-- Transaction: none/m.test(text);
    // Several statements in one call are one transaction.
    const statements = isConcurrent ? statementsOf(text) : [text];
    migrations[name.slice(0, -".sql".length)] = {
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

/** A new table can come with unchanged functions, or a start may have died before its grants. */
async function grantIfMissing(db: Kysely<Record<string, never>>): Promise<void> {
  const without = await sql`select 1 from pg_class where relnamespace = ${schemaName}::regnamespace and relkind = 'r'
    and not has_table_privilege('dari_app', oid, 'insert') limit 1`.execute(db);
  if (without.rows.length === 0) return;
  const text = await readFile(join(functionsDir, "grants.sql"), "utf8");
  await db.transaction().execute(async (tx) => {
    await sql.raw(text).execute(tx);
  });
}

/**
 * Raise it by one with every change of a function. A program of an older release does not replace functions of a newer
 * one.
 */
const functionsRelease = 25;
/** The table's comment contains the digest of the installed functions. */
const digestedTable = `${schemaName}.schema_migrations`;

async function replaceFunctions(db: Kysely<Record<string, never>>): Promise<void> {
  const names = (await readdir(functionsDir)).filter((name) => name.endsWith(".sql")).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(functionsDir, name), "utf8")));
  const digest = createHash("sha256").update(texts.join("\0")).digest("hex");
  await db.transaction().execute(async (tx) => {
    const stored = await sql<{ text: string | null; digest: string | null }>`
      select obj_description(${schemaName}::regnamespace, 'pg_namespace') as text,
        obj_description(${digestedTable}::regclass, 'pg_class') as digest`.execute(tx);
    const installed = Number(/^functions (\d+)$/.exec(stored.rows[0]?.text ?? "")?.[1] ?? 0);
    if (installed > functionsRelease) return;
    // Replacing functions breaks running calls, so equal ones are kept.
    if (installed === functionsRelease && stored.rows[0]?.digest === digest) return;
    // A changed result type cannot be replaced in place, so drop all functions; no other transaction sees this. Trigger
    // functions belong to the migrations: dropping them needs a lock on their table.
    const old = await sql<{ name: string }>`
      select oid::regprocedure::text as name from pg_proc where pronamespace = ${schemaName}::regnamespace
        and prorettype <> 'pg_catalog.trigger'::regtype`.execute(tx);
    for (const { name } of old.rows) await sql.raw(`drop function if exists ${name} cascade`).execute(tx);
    for (const text of texts) await sql.raw(text).execute(tx);
    await sql.raw(`comment on schema ${schemaName} is 'functions ${functionsRelease}'`).execute(tx);
    await sql.raw(`comment on table ${digestedTable} is '${digest}'`).execute(tx);
  });
}
