// Sessions are found by name without reading the organization's others.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "@dari/testkit";
import { sessions } from "../src/index.ts";
import { fillBacklog, type BacklogRows } from "./backlog-rows.ts";
import { countRowsRead, vacuumAnalyze } from "./rows-read.ts";

let database: TestDatabase;
let filled: BacklogRows;
beforeAll(async () => {
  database = await createTestDatabase();
  filled = await fillBacklog(database.db, "a", { organizations: 1, sessions: 5_000 });
  // The oldest: a scan from the newest on would read all others first.
  const oldest = "select id from sessions order by id limit 2";
  await database.db.pool.query(`update sessions set name = 'triage' where id in (${oldest})`);
});
afterAll(() => database.close());

const count = (filter: { agentId?: string }) =>
  countRowsRead(
    database.db,
    async (bound) => {
      const wanted = { name: "triage", metadata: [], ...filter };
      const found = await sessions.listSessions(bound, filled.organizationId, wanted, { limit: 50 });
      expect(found?.rows).toHaveLength(2);
    },
    ["sessions"],
  );

test.each(["before", "after"])("sessions of a name cost their own rows, %s the first statistics", async (when) => {
  if (when === "after") await vacuumAnalyze(database.url);
  expect(await count({})).toBeLessThan(10);
  expect(await count({ agentId: "agt_a1" })).toBeLessThan(10);
});
