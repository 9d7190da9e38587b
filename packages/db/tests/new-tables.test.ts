// A table of a new migration: programs of the previous release run its triggers as soon as it exists.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "@dari/testkit";
import pg from "pg";
import { migrate } from "../src/index.ts";

let database: TestDatabase;
let owner: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = new pg.Client({ connectionString: database.url });
  await owner.connect();
});

afterAll(async () => {
  await owner.end();
  await database.close();
});

test("the application can use a new table in the transaction that creates it", async () => {
  await owner.query("begin");
  await owner.query("create table dari.later (id int)");
  await owner.query("set local role dari_app");
  await owner.query("insert into dari.later values (1)");
  await owner.query("update dari.later set id = 2");
  expect((await owner.query("delete from dari.later returning id")).rows).toEqual([{ id: 2 }]);
  await owner.query("rollback");
});

test("a statement that locks a table for all gives up if it would delay them for long", async () => {
  const fresh = new URL(database.url);
  fresh.pathname += "_fresh";
  await owner.query(`create database "${fresh.pathname.slice(1)}"`);
  const watcher = new pg.Client({ connectionString: fresh.href });
  await watcher.connect();
  try {
    await watcher.query(`create table public.locked (tag text, lock_timeout text);
      create function public.note() returns event_trigger language plpgsql as $$
        begin insert into public.locked values (tg_tag, current_setting('lock_timeout')); end $$;
      create event trigger note on ddl_command_end
        when tag in ('ALTER TABLE', 'CREATE TRIGGER', 'CREATE POLICY') execute function public.note()`);
    await migrate(fresh.href);
    const { rows } = await watcher.query("select distinct tag, lock_timeout from public.locked order by 1");
    expect(rows).toEqual(
      ["ALTER TABLE", "CREATE POLICY", "CREATE TRIGGER"].map((tag) => ({ tag, lock_timeout: "8s" })),
    );
  } finally {
    await watcher.end();
    await owner.query(`drop database "${fresh.pathname.slice(1)}" with (force)`);
  }
});
