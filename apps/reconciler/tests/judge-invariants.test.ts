// A violated invariant is logged with its name and rows, and counted.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createInvariantRounds } from "@dari/control/operations";
import { serveHealth } from "@dari/runtime";
import {
  createTestAgent,
  createTestDatabase,
  createTestOrganization,
  createTestSession,
  type TestDatabase,
} from "@dari/testkit";
import { createInvariantJudge } from "../src/judge-invariants.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());

test("a violation is logged as an error with its rows, counted, and shown with the health", async () => {
  const { db } = database;
  const logged: [fields: Record<string, unknown>, event: string][] = [];
  const judge = createInvariantJudge(createInvariantRounds(db), {
    debug: () => undefined,
    error: (fields, event) => void logged.push([fields, event]),
  });
  expect(await judge.judge()).toBe(0);
  expect(logged).toEqual([]);

  const { organizationId } = await createTestOrganization(db);
  const { agentId } = await createTestAgent(db, organizationId);
  const sessionId = await createTestSession(db, organizationId, agentId);
  await db.pool.query("update sessions set next_event_number = next_event_number + 1 where id = $1", [sessionId]);
  expect(await judge.judge()).toBe(1);
  const fields = { invariant: "event_numbers_without_gap", says: expect.any(String), rows: [sessionId] };
  expect(logged).toEqual([[fields, "invariant.violated"]]);

  await using health = await serveHealth({ port: 0, checks: {}, counters: () => judge.counters() });
  const reply = await fetch(`http://127.0.0.1:${health.port}/readyz`);
  expect(await reply.json()).toMatchObject({ ok: true, counters: { invariant_rounds: 2, invariant_violations: 1 } });
});
