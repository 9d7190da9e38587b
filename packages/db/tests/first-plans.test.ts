// Plans that are made without statistics last as long as their connection, so they must be good.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "@dari/testkit";
import { newId } from "@dari/domain";
import { messages, turnDetails, turns, type Database } from "../src/index.ts";
import { fillBacklog } from "./backlog-rows.ts";
import { countRowsRead } from "./rows-read.ts";

const sessions = 600;
let database: TestDatabase;
let message: { id: string; organizationId: string; sessionId: string };
beforeAll(async () => {
  database = await createTestDatabase();
  await fillBacklog(database.db, "a", { organizations: 1, sessions, longSession: 10 });
  const { rows } = await database.db.pool.query<typeof message>(
    `select id, organization_id as "organizationId", session_id as "sessionId" from messages order by id limit 1`,
  );
  message = rows[0]!;
  const dispatched = `schedule = 'dispatched', ready_at = null, lease_until = now() + interval '1 hour'`;
  const two = `select session_id from messages order by id limit 2`;
  await database.db.pool.query(`update sessions set ${dispatched} where id in (${two})`);
});
afterAll(() => database.close());

async function claim(db: Database): Promise<string | undefined> {
  const job = { sessionId: message.sessionId, dispatchNumber: 0 };
  const claimant = { workerId: newId("worker"), leaseMs: 60_000, guarantees: {} };
  const { outcome } = await turns.claimIfDispatched(db, job, newId("attempt"), claimant);
  return outcome === "claimed" ? outcome : undefined;
}

function pull(db: Database): Promise<unknown> {
  return turns.claimNextIfAny(db, newId("attempt"), { workerId: newId("worker"), leaseMs: 60_000, guarantees: {} });
}

const bounds = { messages: 10, bytes: 1_000 };

test.each([
  ["a message", (db: Database) => messages.findMessage(db, message.organizationId, message.id)],
  [
    "one of several messages",
    async (db: Database) => (await messages.listMessagesByIds(db, message.organizationId, [message.id, "msg_x"]))[0],
  ],
  ["the next message of a session", claim],
  ["the next message of whichever session", pull],
  ["what a turn starts from", (db: Database) => turnDetails.getTurnDetails(db, message.id, bounds)],
])("without statistics, %s is read by its keys", async (_what, read) => {
  const rows = await countRowsRead(database.db, async (bound) => {
    expect(await read(bound)).toBeDefined();
  });
  expect(rows).toBeLessThan(60);
});
