// The cost of a turn in the database does not grow with the backlog: measured in buffers, which other programs do not
// affect.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "@dari/testkit";
import { fillBacklog, type BacklogRows, type BacklogSize } from "./backlog-rows.ts";
import { vacuumAnalyze } from "./rows-read.ts";

interface Place {
  readonly database: TestDatabase;
  readonly rows: BacklogRows;
}

let small: Place;
let large: Place;
let wide: Place;
beforeAll(async () => {
  small = await place({ organizations: 1, sessions: 900, longSession: 100 });
  large = await place({ organizations: 1, sessions: 16_000, longSession: 4_000 });
  wide = await place({ organizations: 2_000, sessions: 1, longSession: 100 });
}, 120_000);
afterAll(() => Promise.all([small, large, wide].map((one) => one.database.close())));

async function place(size: BacklogSize): Promise<Place> {
  const database = await createTestDatabase();
  const rows = await fillBacklog(database.db, "a", size);
  await vacuumAnalyze(database.url);
  return { database, rows };
}

/** Enough calls for PostgreSQL to keep its plans and cache its catalogue. */
const calls = 8;

/** Returns the buffers of each step of a turn, the least of several that are rolled back. */
async function costsOf({ database, rows }: Place): Promise<Record<string, number>> {
  const client = await database.db.pool.connect();
  const costs: Record<string, number> = {};
  const run = async (name: string, call: string): Promise<void> => {
    const { rows: answer } = await client.query<{ "QUERY PLAN": PlanRoot[] }>(
      `explain (analyze, buffers, format json) select * from ${call}`,
    );
    const plan = answer[0]?.["QUERY PLAN"][0]?.Plan;
    const buffers = (plan?.["Shared Hit Blocks"] ?? 0) + (plan?.["Shared Read Blocks"] ?? 0);
    costs[name] = Math.min(costs[name] ?? Infinity, buffers);
  };
  const accept = (session: string, id: string, onBusy: string): string =>
    `accept_message('${rows.organizationId}', '${session}', 'msg_${id}', '[{"type": "text", "text": "x"}]', '{}',
      '[]', null, '${onBusy}', null, 256, 4000000)`;
  try {
    for (let i = 0; i < calls; i++) {
      await client.query("begin");
      await run("accept", accept(rows.idleSession, "new", "enqueue"));
      await run("accept behind many", accept(rows.longSession, "new2", "interrupt"));
      await run("organizations that wait", `ready_organizations('', 500)`);
      await run("view of the direct path", `ready_with_room(200)`);
      await run("due retry", `may_pass_dispatcher()`);
      await run("dispatch", `dispatch_sessions(array['${rows.organizationId}'], array[1], 5000)`);
      await client.query("rollback");
    }
    for (let i = 0; i < calls; i++) {
      await client.query("begin");
      await client.query(`select * from ${accept(rows.idleSession, "new", "enqueue")}`);
      await client.query(
        `update sessions set schedule = 'dispatched', ready_at = null, lease_until = now() where id = $1`,
        [rows.idleSession],
      );
      await run("claim", `claim_turn('${rows.idleSession}', 0, 'w', 'att_new', 60000, null)`);
      const { rows: claim } = await client.query<{ held: string }>(
        `select quote_literal(id) || ', ' || fence || ', ' || quote_literal(claim_token) as held
          from sessions where id = $1`,
        [rows.idleSession],
      );
      const held = claim[0]?.held ?? "";
      await run("mark called", `mark_called(${held}, null)`);
      await run("event", `append_attempt_events(${held}, '[{"number": 1, "type": "agent.event", "data": {}}]')`);
      const failure = `'{"code": "agent_error", "message": "x"}'`;
      await run("finish", `finish_turn(${held}, 'failed', ${failure}, null, '[]', null, '{}', 0, 10)`);
      await client.query("rollback");
    }
  } finally {
    client.release();
  }
  return costs;
}

interface PlanRoot {
  readonly Plan: { readonly "Shared Hit Blocks": number; readonly "Shared Read Blocks": number };
}

test("a turn costs the same before a long backlog, and with many organizations", async () => {
  const costs = { small: await costsOf(small), large: await costsOf(large), wide: await costsOf(wide) };
  const { small: few, wide: many } = costs;
  const { "organizations that wait": waiting, "view of the direct path": view, "due retry": retry, ...steps } = few;
  expect(waiting).toBeLessThan(20);
  for (const [step, cost] of Object.entries(steps)) {
    expect({ step, large: (costs.large[step] ?? 0) / cost <= 1.5 }).toEqual({ step, large: true });
    expect({ step, wide: (costs.wide[step] ?? 0) / cost <= 1.5 }).toEqual({ step, wide: true });
  }
  // One read is bounded however many wait.
  expect(costs.wide["organizations that wait"]).toBeLessThan(4 * 500);
  expect(many["view of the direct path"]).toBeLessThan(20 * 200);
  expect(many["due retry"]).toBeLessThan(200);
  expect([view, retry]).toEqual([expect.any(Number), expect.any(Number)]);
});
