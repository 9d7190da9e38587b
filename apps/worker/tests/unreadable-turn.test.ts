// A turn whose details the database cannot read: it fails with a reason, a bounded number of times, by job or by pull.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { findViolations } from "@dari/control/operations";
import { claimTurn, pullTurn } from "@dari/control/turns";
import { limits, newId, type Notifier } from "@dari/domain";
import { createLogger } from "@dari/runtime";
import { createTestAgent, createTestDatabase, createTestFile, createTestMessage } from "@dari/testkit";
import { createTestOrganization, createTestSession, type TestDatabase } from "@dari/testkit";
import { openDatabase, type ClaimedTurn } from "@dari/db";
import type { WorkerContext } from "../src/context.ts";
import { executeTurn } from "../src/turn/execute-turn.ts";
import { createGate } from "../src/capacity/gate.ts";

let database: TestDatabase;
let place: { organizationId: string; agentId: string };
const claimant = { workerId: newId("worker"), leaseMs: 600_000, guarantees: {} };
const notifier: Notifier = {
  notify: () => undefined,
  subscribe: () => () => undefined,
  close: () => Promise.resolve(),
};

beforeAll(async () => {
  database = await createTestDatabase();
  const { organizationId } = await createTestOrganization(database.db);
  const { agentId } = await createTestAgent(database.db, organizationId);
  place = { organizationId, agentId };
  // Returns PostgreSQL's error for a damaged row for each of these rows.
  const owner = openDatabase({ url: database.url, poolMax: 1, applicationName: "test" });
  await owner.pool.query(`
    create function damaged() returns boolean language plpgsql as
      $$ begin raise exception 'invalid page in block 7' using errcode = 'data_corrupted'; end $$;
    create policy readable on session_inputs for select using (true);
    create policy damaged on session_inputs as restrictive for select using (damaged());
    create policy writable on session_inputs for insert with check (true);
    alter table session_inputs enable row level security;`);
  await owner.close();
});
afterAll(async () => {
  expect(await findViolations(database.db)).toEqual([]);
  await database.close();
});

/** Creates a dispatched message with an unreadable input. */
async function message(): Promise<{ sessionId: string; messageId: string }> {
  const sessionId = await createTestSession(database.db, place.organizationId, place.agentId);
  const messageId = await createTestMessage(database.db, place.organizationId, sessionId);
  const fileId = await createTestFile(database.db, place.organizationId);
  await database.db.pool.query("insert into session_inputs values ($1, $2, '/input/a', $3, $4)", [
    ...[sessionId, place.organizationId, messageId, fileId],
  ]);
  return { sessionId, messageId };
}

/** Runs the turn as a worker does, with only the parts that are used here. */
function execute(turn: ClaimedTurn): ReturnType<typeof executeTurn> {
  const log = createLogger({ name: "unreadable-turn", level: "silent" });
  const worker = { db: database.db, notifier, log, settings: { backoffFirstMs: 1 } } as unknown as WorkerContext;
  const lease = {
    signal: new AbortController().signal,
    onSteering: () => () => undefined,
    release: () => undefined,
  };
  return executeTurn(worker, turn, lease, createGate({ slots: 1, startsMax: 1 }).tryEnter()!);
}

/** Without waiting for its time. */
async function dispatchRetry(sessionId: string): Promise<void> {
  await database.db.pool.query(
    "update sessions set schedule = 'ready', ready_at = now() where id = $1 and schedule = 'retry_wait'",
    [sessionId],
  );
  await database.db.pool.query(
    `update sessions set schedule = 'dispatched', ready_at = null, lease_until = now() + interval '1 minute'
      where id = $1 and schedule = 'ready'`,
    [sessionId],
  );
}

/** What a version's row may contain after damage: not an object, not numbers, nothing. */
const damagedManifests = [
  ["text", '"text"'],
  ["nothing", "{}"],
  ["no number of seconds", '{"runtime": {"timeout_seconds": "x"}, "secrets": []}'],
  ["more seconds than there are", '{"runtime": {"timeout_seconds": 99999999999}, "secrets": []}'],
  ["secrets that are none", '{"runtime": {"timeout_seconds": 60}, "secrets": 5}'],
] as const;

test.each(damagedManifests)("a turn of a version whose manifest is %s fails with a reason", async (_what, manifest) => {
  const { agentId, versionId } = await createTestAgent(database.db, place.organizationId);
  const sessionId = await createTestSession(database.db, place.organizationId, agentId);
  const messageId = await createTestMessage(database.db, place.organizationId, sessionId);
  await database.db.pool.query("update versions set manifest = $1 where id = $2", [manifest, versionId]);
  const recorded: (string | undefined)[] = [];
  for (let tries = 0; tries <= limits.platformRetriesMax; tries++) {
    await dispatchRetry(sessionId);
    const claim = await claimTurn(database.db, { sessionId, dispatchNumber: 1 }, claimant);
    if (claim.outcome !== "claimed") throw new Error(claim.outcome);
    recorded.push((await execute(claim.turn)).result?.recorded);
  }
  expect(recorded.at(-1)).toBe("failed");
  const { rows } = await database.db.pool.query<object>(
    "select state, output -> 'error' ->> 'code' as code from messages where id = $1",
    [messageId],
  );
  expect(rows).toEqual([{ state: "failed", code: "internal_error" }]);
});

test("a turn that its job brings is claimed, and its attempt ends with a reason", async () => {
  const { sessionId, messageId } = await message();
  const claim = await claimTurn(database.db, { sessionId, dispatchNumber: 1 }, claimant);
  if (claim.outcome !== "claimed") throw new Error(claim.outcome);
  expect(claim.turn).toMatchObject({ messageId, organizationId: place.organizationId, details: undefined });
  expect((await execute(claim.turn)).result).toMatchObject({ recorded: "retry", reason: "internal_error" });
});

test("a pulled turn fails permanently after the platform's own retries", async () => {
  const { sessionId, messageId } = await message();
  const recorded: (string | undefined)[] = [];
  for (let tries = 0; tries <= limits.platformRetriesMax; tries++) {
    await dispatchRetry(sessionId);
    const turn = await pullTurn(database.db, claimant);
    expect(turn).toMatchObject({ sessionId, messageId, details: undefined });
    recorded.push((await execute(turn!)).result?.recorded);
  }
  expect(recorded).toEqual([...Array.from({ length: limits.platformRetriesMax }, () => "retry"), "failed"]);
  const { rows } = await database.db.pool.query<object>(
    "select state, output -> 'error' ->> 'code' as code from messages where id = $1",
    [messageId],
  );
  expect(rows).toEqual([{ state: "failed", code: "internal_error" }]);
});
