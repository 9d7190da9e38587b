// Names of new agents: numbered or refused, unique among the live agents of an organization.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { newId } from "@dari/domain";
import { createTestDatabase, createTestOrganization, createTestSourceSnapshot, type TestDatabase } from "@dari/testkit";
import pg from "pg";
import { agents, versions } from "../src/index.ts";
import { untilWaiting } from "./until-waiting.ts";

let database: TestDatabase;
let owner: pg.Client;
beforeAll(async () => {
  database = await createTestDatabase();
  owner = new pg.Client({ connectionString: database.url });
  await owner.connect();
  await owner.query("set search_path = dari");
});
afterAll(async () => {
  await owner.end();
  await database.close();
});

async function namesOf(organizationId: string): Promise<string[]> {
  const { rows } = await owner.query(
    "select name from agents where organization_id = $1 and deleted_at is null order by id",
    [organizationId],
  );
  return (rows as { name: string }[]).map(({ name }) => name);
}

describe("a new agent", () => {
  async function insert(organizationId: string, name: string, mayNumber: boolean, db = database.db) {
    const sourceSnapshotId = await createTestSourceSnapshot(database.db, organizationId);
    const agentId = newId("agent");
    const version = { id: newId("version"), organizationId, agentId, sourceSnapshotId, manifest: {}, warnings: [] };
    const inserted = await versions.insertAgentWithVersion(db, { name, mayNumber }, version);
    return typeof inserted === "string" ? inserted : { agentId, name: inserted.name };
  }

  test("of a name that is taken is numbered or refused; a deleted agent's name is free", async () => {
    const { organizationId } = await createTestOrganization(database.db);
    const first = await insert(organizationId, "weather", false);
    expect(first).toMatchObject({ name: "weather" });
    expect(await insert(organizationId, "weather", false)).toBe("name_taken");
    expect(await insert(organizationId, "weather", true)).toMatchObject({ name: "weather-2" });
    expect(await insert(organizationId, "weather", true)).toMatchObject({ name: "weather-3" });
    await agents.softDeleteAgentIfLive(database.db, organizationId, (first as { agentId: string }).agentId);
    expect(await insert(organizationId, "weather", false)).toMatchObject({ name: "weather" });
    const other = await createTestOrganization(database.db);
    expect(await insert(other.organizationId, "weather", false)).toMatchObject({ name: "weather" });
  });

  test("works behind row-level security", async () => {
    const { organizationId } = await createTestOrganization(database.db);
    const db = database.db.forOrganization(organizationId);
    expect(await insert(organizationId, "weather", true, db)).toMatchObject({ name: "weather" });
    expect(await insert(organizationId, "weather", true, db)).toMatchObject({ name: "weather-2" });
    expect(await insert(organizationId, "weather", false, db)).toBe("name_taken");
  });

  test("is refused if the name is taken while it waits for the quota", async () => {
    const { organizationId } = await createTestOrganization(database.db);
    await owner.query("update organizations set max_agents = 9 where id = $1", [organizationId]);
    await owner.query("begin");
    await owner.query("select pg_advisory_xact_lock(hashtext('dari quota agents'), hashtext($1))", [organizationId]);
    const insertion = insert(organizationId, "late", false);
    await untilWaiting(database.db, 1);
    await owner.query("insert into agents (id, organization_id, name) values ('agt_first', $1, 'late')", [
      organizationId,
    ]);
    await owner.query("commit");
    expect(await insertion).toBe("name_taken");
    expect(await namesOf(organizationId)).toEqual(["late"]);
  });

  test("of the same new name at the same time: one wins, or each gets a number", async () => {
    for (let round = 0; round < 5; round++) {
      const { organizationId } = await createTestOrganization(database.db);
      const made = await Promise.all(Array.from({ length: 4 }, () => insert(organizationId, "race", false)));
      expect(made.filter((one) => one === "name_taken")).toHaveLength(3);
      const numbered = await Promise.all(Array.from({ length: 4 }, () => insert(organizationId, "new", true)));
      expect(numbered.map((one) => (one as { name: string }).name).sort()).toEqual(["new", "new-2", "new-3", "new-4"]);
    }
  });
});
