// The cost of claiming deliveries does not grow with waiting or ended ones, with and without statistics.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newId } from "@dari/domain";
import { createTestDatabase, createTestOrganization, type TestDatabase } from "@dari/testkit";
import { webhookOutbox } from "../src/index.ts";
import { countRowsRead, vacuumAnalyze } from "./rows-read.ts";

const endpoints = 5;
const each = 4_000;
let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  const { organizationId } = await createTestOrganization(database.db);
  const { pool } = database.db;
  for (let n = 0; n < endpoints; n += 1) {
    const id = newId("webhookEndpoint");
    await pool.query(
      `insert into webhook_endpoints (id, organization_id, url, event_types)
        values ($1, $2, 'https://receiver.example/', '{message.failed}')`,
      [id, organizationId],
    );
    await pool.query(
      `insert into webhook_deliveries (id, organization_id, endpoint_id, event_id, type, event_created_at, state,
          due_at, ended_at)
        select new_id('whdl'), $1, $2, 'evt_' || n, 'message.failed', now(),
          case when n % 2 = 0 then 'pending' else 'delivered' end,
          case when n % 2 = 0 then now() - n * interval '1 second' end,
          case when n % 2 = 1 then now() end
        from generate_series(1, $3::int) n`,
      [organizationId, id, each],
    );
  }
});
afterAll(() => database.close());

const bounds: webhookOutbox.ClaimBounds = {
  limit: 64,
  perEndpoint: 4,
  perOrganization: 16,
  busyEndpoints: [],
  busyOrganizations: [],
  leaseMs: 60_000,
};

/** Enough calls for PostgreSQL to keep its plan. */
const calls = 8;

test.each(["without", "with"])("%s statistics, a claim reads what it can take and little else", async (statistics) => {
  if (statistics === "with") await vacuumAnalyze(database.url);
  for (let call = 0; call < calls; call += 1) {
    const rows = await countRowsRead(database.db, async (bound) => {
      expect(await webhookOutbox.claimDue(bound, bounds)).toHaveLength(16);
    });
    expect(rows).toBeLessThan(400);
  }
});
