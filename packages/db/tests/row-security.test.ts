// Row-level security: what the statements of an organization's call see when they do not say whose rows they want.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { newId } from "@dari/domain";
import {
  createTestAgent,
  createTestDatabase,
  createTestOrganization,
  waitUntil,
  type TestDatabase,
} from "@dari/testkit";
import { sql } from "kysely";
import pg from "pg";
import { agents, withinTransaction, openDatabase, withTransaction, type Database } from "../src/index.ts";

let database: TestDatabase;
let own: string;
let foreign: string;
beforeAll(async () => {
  database = await createTestDatabase();
  own = (await createTestOrganization(database.db)).organizationId;
  foreign = (await createTestOrganization(database.db)).organizationId;
  for (const organizationId of [own, own, foreign]) await createTestAgent(database.db, organizationId);
});
afterAll(() => database.close());

/** Whose agents there are, asked without a scope. */
async function ownersSeenBy(db: Database): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`select organization_id as id from agents`.execute(db.kysely);
  return rows.map(({ id }) => id);
}

interface Table {
  readonly name: string;
  readonly carries: boolean;
  readonly hasRowSecurity: boolean;
  readonly policies: readonly string[];
  /** What calls may do with it. */
  readonly open: string;
}

describe("the catalogue", () => {
  test("every table with an organization has row-level security; calls cannot read the others", async () => {
    const { rows } = await database.db.pool.query<Table>(
      `select c.relname as name, c.relrowsecurity as "hasRowSecurity", c.relname = 'organizations' or exists (
          select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'organization_id') as carries,
        array (select format('%s %s to %s %s %s', p.polname, p.polcmd, r.rolname, p.polpermissive,
          pg_get_expr(p.polqual, p.polrelid)) from pg_policy p join pg_roles r on p.polroles = array[r.oid]
          where p.polrelid = c.oid order by 1) as policies,
        array_to_string(array (select p from unnest('{select,insert,update,delete}'::text[]) p
          where has_table_privilege('dari_tenant', c.oid, p)), ' ') as open
      from pg_class c where c.relnamespace = 'dari'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
      order by 1`,
    );
    expect(rows.filter(({ carries }) => carries).length).toBeGreaterThan(25);
    for (const { name, carries, policies } of rows.filter((row) => row.carries)) {
      const column = name === "organizations" ? "id" : "organization_id";
      const isOwn = `(${column} = current_setting('dari.organization_id'::text, true))`;
      const expected = ["platform * to dari_app t true", `tenant * to dari_tenant t ${isOwn}`];
      expect([name, carries, policies]).toEqual([name, true, expected]);
    }
    expect(rows.filter((row) => row.carries && !row.hasRowSecurity)).toEqual([]);
    const others = rows.filter(({ carries, open }) => !carries && open !== "").map(({ name, open }) => [name, open]);
    expect(others).toEqual([["platform_stops", "select"]]);
  });

  test("calls have no rights but their own, except to count what their organization keeps", async () => {
    const { rows } = await database.db.pool.query<{ name: string; is_trigger: boolean }>(
      `select proname as name, prorettype = 'pg_catalog.trigger'::regtype as is_trigger from pg_proc
        where pronamespace = 'dari'::regnamespace and prosecdef order by 1`,
    );
    // What a trigger does it does for a row that has passed the policies.
    const named = rows.filter((row) => !row.is_trigger).map(({ name }) => name);
    expect(named).toEqual(["hold_count", "recount"]);
    for (const name of named) {
      const counted = sql<{ n: number | null }>`select ${sql.ref(name)}(${foreign}, 'sessions') as n`;
      const { rows: told } = await counted.execute(database.db.forOrganization(own).kysely);
      expect([name, told]).toEqual([name, [{ n: null }]]);
    }
  });

  test("the role of calls bypasses nothing and owns nothing", async () => {
    const roles = await database.db.pool.query(`select rolsuper, rolbypassrls, rolcanlogin,
        pg_has_role(oid, 'dari_app', 'member') as is_platform,
        exists (select 1 from pg_class where relowner = r.oid) as owns
      from pg_roles r where rolname = 'dari_tenant'`);
    const nothing = { rolsuper: false, rolbypassrls: false, rolcanlogin: false, is_platform: false, owns: false };
    expect(roles.rows).toEqual([nothing]);
  });
});

describe("a statement of an organization's call", () => {
  test("sees its organization's rows, whatever it asks for", async () => {
    expect(await ownersSeenBy(database.db.forOrganization(own))).toEqual([own, own]);
    expect(await ownersSeenBy(database.db.forOrganization(foreign))).toEqual([foreign]);
    expect(await ownersSeenBy(database.db.forOrganization(own, { ahead: true }))).toEqual([own, own]);
    expect(await ownersSeenBy(database.db.forOrganization(newId("organization")))).toEqual([]);
    const { rows } = await sql<{ id: string }>`select id from organizations`.execute(
      database.db.forOrganization(own).kysely,
    );
    expect(rows).toEqual([{ id: own }]);
    expect((await ownersSeenBy(database.db)).toSorted()).toEqual([own, own, foreign].toSorted());
  });

  test("writes no other organization's rows", async () => {
    const db = database.db.forOrganization(own).kysely;
    const changed = await sql`update agents set name = 'mine' where organization_id = ${foreign} returning id`.execute(
      db,
    );
    expect(changed.rows).toEqual([]);
    const deleted = await sql`delete from agents where organization_id = ${foreign} returning id`.execute(db);
    expect(deleted.rows).toEqual([]);
    const moved = sql`update agents set organization_id = ${foreign} where organization_id = ${own}`.execute(db);
    await expect(moved).rejects.toThrow("row-level security");
    const made = sql`insert into agents (id, organization_id, name) values (${newId("agent")}, ${foreign}, 'x')`;
    await expect(made.execute(db)).rejects.toThrow("row-level security");
    expect((await ownersSeenBy(database.db)).toSorted()).toEqual([own, own, foreign].toSorted());
  });

  test("is as strict when it is repeated and prepared", async () => {
    const db = database.db.forOrganization(own);
    for (let i = 0; i < 12; i++) {
      const listed = await agents.listAgents(db, own, { limit: 10 });
      expect(listed?.rows.map((row) => row.name)).toEqual(["test-agent-2", "test-agent"]);
    }
  });

  test("that fails leaves its connection as it was", async () => {
    const db = database.db.forOrganization(own).kysely;
    await expect(sql`select 1 / 0`.execute(db)).rejects.toMatchObject({ code: "22012" });
    await expect(sql`select nothing`.execute(db)).rejects.toMatchObject({ code: "42703" });
    const { rows } = await sql<{ n: number }>`select 1 as n`.execute(db);
    expect(rows).toEqual([{ n: 1 }]);
  });
});

describe("on one connection", () => {
  let one: Database;
  beforeAll(() => {
    const { url } = database;
    one = openDatabase({ url, poolMax: 1, tenants: 1, role: "dari_app", applicationName: "dari-test" });
  });
  afterAll(() => one.close());

  /** What a statement sees that names no organization. */
  async function seenByNobody(): Promise<number> {
    const { rows } = await one.tenantPool!.query<{ n: number }>("select count(*)::int as n from dari.agents");
    return rows[0]!.n;
  }

  test("without an organization's name no row is visible, before and after transactions that name one", async () => {
    expect(await seenByNobody()).toBe(0);
    expect(await ownersSeenBy(one.forOrganization(own))).toHaveLength(2);
    expect(await seenByNobody()).toBe(0);
    await withTransaction(one.forOrganization(own), async (tx) => {
      expect(await ownersSeenBy(withinTransaction(one.forOrganization(own), tx))).toHaveLength(2);
    });
    expect(await seenByNobody()).toBe(0);
    await expect(sql`select 1 / 0`.execute(one.forOrganization(own).kysely)).rejects.toThrow("division");
    expect(await seenByNobody()).toBe(0);
    const failed = withTransaction(one.forOrganization(own), async (tx) => sql`select 1 / 0`.execute(tx));
    await expect(failed).rejects.toThrow("division");
    expect(await seenByNobody()).toBe(0);
    const made = "insert into dari.agents (id, organization_id, name) values ('agt_x', $1, 'x')";
    await expect(one.tenantPool!.query(made, [own])).rejects.toThrow("row-level security");
  });

  test("a transaction whose first statement fails is rolled back, and its connection is kept", async () => {
    const pidOf = async (): Promise<number> => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(
        one.forOrganization(own).kysely,
      );
      return rows[0]!.pid;
    };
    const before = await pidOf();
    const failed = withTransaction(one.forOrganization(own), async (tx) => {
      await expect(sql`select nothing`.execute(tx)).rejects.toMatchObject({ code: "42703" });
      await sql`select 1`.execute(tx);
    });
    await expect(failed).rejects.toMatchObject({ code: "25P02" });
    const written = withTransaction(one.forOrganization(own), async (tx) => {
      await sql`insert into agents (id, organization_id, name) values ('agt_gone', ${own}, 'gone')`.execute(tx);
      throw new Error("not now");
    });
    await expect(written).rejects.toThrow("not now");
    expect(await withTransaction(one.forOrganization(own), () => Promise.resolve("nothing"))).toBe("nothing");
    expect(await ownersSeenBy(one.forOrganization(own))).toHaveLength(2);
    expect(await pidOf()).toBe(before);
  });

  test("a statement that could not be prepared in a transaction is prepared again", async () => {
    const db = one.forOrganization(own);
    // Recurring statements are prepared.
    const read = (at: Database) => sql`select count(*) from schedules`.execute(at.kysely);
    for (let use = 1; use < 5; use += 1) await read(db);
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db.kysely);
    const owner = new pg.Client({ connectionString: database.url });
    await owner.connect();
    await owner.query("begin; lock table dari.schedules in access exclusive mode");
    const failed = withTransaction(db, (tx) => read(withinTransaction(db, tx)));
    // On a busy machine its time limit for locks may come first.
    const refused = expect(failed).rejects.toMatchObject({ code: expect.stringMatching(/57014|55P03/) });
    await waitUntil(
      async () => (await owner.query("select from pg_locks where pid = $1 and not granted", [rows[0]!.pid])).rowCount,
      { what: "the statement to wait for the lock" },
    );
    await owner.query(`select pg_cancel_backend(${rows[0]!.pid})`);
    await refused;
    await owner.end();
    await read(db);
    await withTransaction(db, (tx) => read(withinTransaction(db, tx)));
  });

  test("calls of several organizations see each their own", async () => {
    const looks = Array.from({ length: 60 }, async (_, i) => {
      const organizationId = i % 2 === 0 ? own : foreign;
      const db = one.forOrganization(organizationId);
      const seen =
        i % 3 === 0
          ? await withTransaction(db, (tx) => ownersSeenBy(withinTransaction(db, tx)))
          : await ownersSeenBy(db);
      expect(new Set(seen)).toEqual(new Set([organizationId]));
      return seen.length;
    });
    expect((await Promise.all(looks)).reduce((sum, n) => sum + n, 0)).toBe(30 * 2 + 30);
  });

  test("a transaction sees through its organization's eyes to its end", async () => {
    await withTransaction(one.forOrganization(foreign), async (tx) => {
      const db = withinTransaction(one.forOrganization(foreign), tx);
      await sql`savepoint here`.execute(tx);
      await sql`select 1 / 0`.execute(tx).catch(() => undefined);
      await sql`rollback to savepoint here`.execute(tx);
      expect(await ownersSeenBy(db)).toEqual([foreign]);
    });
  });

  test("what only reads at one moment is scoped as well", async () => {
    const reading = one.forOrganization(own).kysely.transaction().setIsolationLevel("repeatable read");
    const { rows } = await reading.setAccessMode("read only").execute((tx) => sql`select id from agents`.execute(tx));
    expect(rows).toHaveLength(2);
  });
});

test("an organization whose statements all wait leaves connections to the others", async () => {
  const { url } = database;
  const few = openDatabase({ url, poolMax: 1, tenants: 5, role: "dari_app", applicationName: "dari-test" });
  const held = await database.db.pool.connect();
  await held.query("select pg_advisory_lock(4711)");
  const lock = sql`select pg_advisory_xact_lock(4711)`;
  const waiting = Array.from({ length: 12 }, () => lock.execute(few.forOrganization(own).kysely));
  expect(await ownersSeenBy(few.forOrganization(foreign))).toEqual([foreign]);
  await held.query("select pg_advisory_unlock(4711)");
  held.release();
  await Promise.all(waiting);
  expect(await ownersSeenBy(few.forOrganization(own))).toEqual([own, own]);
  await few.close();
});

test("a statement that goes ahead does not wait for those of its organization that wait for a connection", async () => {
  const { url } = database;
  const few = openDatabase({ url, poolMax: 1, tenants: 2, role: "dari_app", applicationName: "dari-test" });
  const held = await database.db.pool.connect();
  await held.query("select pg_advisory_lock(4712)");
  const ended: string[] = [];
  const say = async (what: string, ahead = false): Promise<void> => {
    await sql`select 1`.execute(few.forOrganization(own, { ahead }).kysely);
    ended.push(what);
  };
  // All others share the second connection.
  const first = sql`select pg_advisory_xact_lock(4712)`.execute(few.forOrganization(own).kysely);
  await Promise.all([say("one"), say("two"), say("three"), say("ahead", true)]);
  expect(ended).toEqual(["one", "ahead", "two", "three"]);
  await held.query("select pg_advisory_unlock(4712)");
  held.release();
  await first;
  await few.close();
});

test("a database that was opened without connections for calls has no call see everything", () => {
  const db = openDatabase({ url: database.url, poolMax: 1, role: "dari_app", applicationName: "dari-test" });
  expect(() => db.forOrganization(own)).toThrow("without connections for calls");
  return db.close();
});
