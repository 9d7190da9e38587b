// Installations whose database user cannot create roles: they work without row-level security until an admin creates
// the role, and say so.

import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createTestDatabase, createTestOrganization, type TestDatabase } from "@dari/testkit";
import { sql } from "kysely";
import pg from "pg";
import { getRowSecurityState, migrate, openDatabase, type Database } from "../src/index.ts";

const user = `dari_limited_${randomBytes(4).toString("hex")}`;
const password = randomBytes(12).toString("hex");
let database: TestDatabase;
let admin: pg.Client;
let url: string;

beforeAll(async () => {
  database = await createTestDatabase();
  admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
  await admin.query(`create role ${user} login password '${password}'`);
  await admin.query(`grant dari_app to ${user}`);
  const own = new URL(database.url);
  const name = `${own.pathname.slice(1)}_limited`;
  await admin.query(`create database "${name}" owner ${user}`);
  Object.assign(own, { username: user, password, pathname: `/${name}` });
  url = own.href;
});
afterAll(async () => {
  await admin.query(`drop database "${new URL(url).pathname.slice(1)}" with (force)`);
  await admin.query(`drop role ${user}`);
  await admin.end();
  await database.close();
});

async function withDatabase<T>(hasRowSecurity: boolean, work: (db: Database) => Promise<T>): Promise<T> {
  const tenants = hasRowSecurity ? 2 : "unrestricted";
  const db = openDatabase({ url, poolMax: 2, tenants, role: "dari_app", applicationName: "dari-test" });
  try {
    return await work(db);
  } finally {
    await db.close();
  }
}

async function seen(db: Database): Promise<number> {
  return (await sql`select id from organizations`.execute(db.kysely)).rows.length;
}

test("without the role the platform works without row-level security, and with it from the next start", async () => {
  expect((await migrate(url)).hasRowSecurity).toBe(false);
  const own = await withDatabase(false, async (db) => {
    const { organizationId } = await createTestOrganization(db);
    await createTestOrganization(db);
    expect(await seen(db.forOrganization(organizationId))).toBe(2);
    expect(await getRowSecurityState(db)).toMatchObject({ isEnabled: false, runsAs: null, user });
    return organizationId;
  });

  await admin.query(`grant dari_tenant to ${user}`);
  expect(await migrate(url)).toEqual({ applied: [], hasRowSecurity: true });
  await withDatabase(true, async (db) => {
    expect(await seen(db)).toBe(2);
    expect(await seen(db.forOrganization(own))).toBe(1);
    const state = { isEnabled: true, runsAs: "dari_tenant", isBypassed: false, tablesWithout: [], user };
    expect(await getRowSecurityState(db)).toEqual(state);
  });
});

test("a right that an operator revokes is detected and restored", async () => {
  await admin.query(`grant dari_tenant to ${user}`);
  await migrate(url);
  const owner = new pg.Client({ connectionString: url });
  await owner.connect();
  await owner.query("alter table dari.agents disable row level security");
  await owner.query("drop policy tenant on dari.files");
  await owner.query("create table dari.novel (id text primary key, organization_id text)");
  await owner.query("grant all on dari.novel to dari_app");
  await withDatabase(true, async (db) => {
    expect((await getRowSecurityState(db)).tablesWithout).toEqual(["agents", "files", "novel"]);
    await migrate(url);
    expect((await getRowSecurityState(db)).tablesWithout).toEqual([]);
  });
  await owner.query("drop table dari.novel");
  await owner.end();
});

test("the creator of a role that cannot become it gets a grant", async () => {
  await admin.query(`revoke dari_tenant from ${user}`);
  const { rows } = await admin.query<{ version: number }>(
    "select current_setting('server_version_num')::int as version",
  );
  if (rows[0]!.version >= 160_000) {
    await admin.query(`grant dari_tenant to ${user} with admin true, inherit false, set false`);
  } else await admin.query(`grant dari_tenant to ${user} with admin option`);
  expect((await migrate(url)).hasRowSecurity).toBe(true);
  await withDatabase(true, async (db) => expect(await seen(db.forOrganization("org_nobody"))).toBe(0));
});
