// The cost of finding due schedules does not grow with others, with and without statistics.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createTestAgent, createTestDatabase, createTestOrganization, type TestDatabase } from "@dari/testkit";
import { readDueWork, scheduleFirings } from "../src/index.ts";
import { countRowsRead, vacuumAnalyze } from "./rows-read.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  const { organizationId } = await createTestOrganization(database.db);
  const { agentId } = await createTestAgent(database.db, organizationId);
  await database.db.pool.query(
    `insert into schedules (id, organization_id, agent_id, cron, time_zone, parts, status, paused_reason, next_due_at)
      select 'sched_' || n, $1, $2, '0 0 1 1 *', 'UTC', '[]', case when n % 10 = 0 then 'paused' else 'active' end,
        case when n % 10 = 0 then 'manual' end,
        case when n % 10 > 0 then now() + (n - 20) * interval '1 hour' end
      from generate_series(1, 5000) n`,
    [organizationId, agentId],
  );
});
afterAll(() => database.close());

/** Enough calls for PostgreSQL to keep its plan. */
const calls = 8;

test.each(["without", "with"])("%s statistics, a look reads what is due and little else", async (statistics) => {
  if (statistics === "with") await vacuumAnalyze(database.url);
  for (let call = 0; call < calls; call += 1) {
    const rows = await countRowsRead(database.db, async (bound) => {
      const due = await scheduleFirings.listDueSchedules(bound, { limit: 50, looks: 1_000, except: [] });
      expect(due).toHaveLength(18);
    });
    expect(rows).toBeLessThan(100);
    const looked = await countRowsRead(database.db, async (bound) => {
      const { schedules, ...others } = await readDueWork(bound);
      expect(schedules).toBe(true);
      expect(Object.values(others)).not.toContain(true);
    });
    expect(looked).toBeLessThan(20);
  }
});
