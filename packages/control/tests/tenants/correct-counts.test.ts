// Totals that cannot be checked, beside those that can.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { correctKeptCounts } from "@dari/control/tenants";
import { openDatabase, type Database } from "@dari/db";
import { createTestDatabase, createTestOrganizations, type TestDatabase } from "@dari/testkit";

let database: TestDatabase;
let owner: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  const { url } = database;
  owner = openDatabase({ url, poolMax: 1, tenants: "unrestricted", applicationName: "dari-test" });
});
afterAll(async () => {
  await owner.close();
  await database.close();
});

test("counts that fail delay no other, and are tried again", async () => {
  const { db } = database;
  const failed: unknown[] = [];
  const write = (fields: object, event: string): void => void failed.push([event, (fields as { org: string }).org]);
  const context = { db, log: { debug: write, info: write, warn: write, error: write } };
  const made = (await createTestOrganizations(db, 14)).map(({ organizationId }) => organizationId).sort();
  await db.pool.query("update organizations set max_sessions = 5 where id = any ($1)", [made]);
  // More than one pass checks, and before the others.
  const broken = made.slice(0, 11);
  await owner.pool.query("alter function kept_now(text, text) rename to kept_truly");
  await owner.pool.query(`create function kept_now(p_organization text, p_kind text) returns bigint
    language plpgsql stable as $$ begin
      if p_organization = any ('{${broken.join(",")}}') then raise 'too many'; end if;
      return kept_truly(p_organization, p_kind); end $$`);
  expect(await correctKeptCounts(context)).toBe(0);
  expect(await correctKeptCounts(context)).toBe(3);
  expect(failed).toEqual(broken.map((org) => ["quota.count_failed", org]));
  await owner.pool.query("drop function kept_now(text, text)");
  await owner.pool.query("alter function kept_truly(text, text) rename to kept_now");
  expect(await correctKeptCounts(context)).toBe(10);
  expect(await correctKeptCounts(context)).toBe(1);
});
