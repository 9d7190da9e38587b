// The database of a test refuses a change of state that no machine declares.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import {
  createTestAgent,
  createTestDatabase,
  createTestMessage,
  createTestOrganization,
  createTestSession,
  unguardEdgesSql,
  type TestDatabase,
} from "../src/index.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());

async function newSession(): Promise<string> {
  const { organizationId } = await createTestOrganization(database.db);
  const { agentId } = await createTestAgent(database.db, organizationId);
  const sessionId = await createTestSession(database.db, organizationId, agentId);
  await createTestMessage(database.db, organizationId, sessionId);
  return sessionId;
}

test("a session goes only along the edges of its schedule", async () => {
  const sessionId = await newSession();
  const move = (to: string) =>
    database.db.pool.query("update dari.sessions set schedule = $2 where id = $1", [sessionId, to]);
  await expect(move("retry_wait")).rejects.toMatchObject({
    code: "DA001",
    message: `undeclared edge of sessions.schedule: dispatched -> retry_wait (${sessionId})`,
  });
});

test("a transaction that turns the guard off writes any state; the next one does not", async () => {
  const sessionId = await newSession();
  const client = await database.db.pool.connect();
  const move = (set: string) => client.query(`update dari.sessions set ${set} where id = $1`, [sessionId]);
  try {
    await client.query("begin");
    await client.query(unguardEdgesSql);
    await move("schedule = 'retry_wait', lease_until = null, ready_at = now()");
    await client.query("commit");
    await expect(move("schedule = 'dispatched', lease_until = now(), ready_at = null")).rejects.toMatchObject({
      code: "DA001",
      message: `undeclared edge of sessions.schedule: retry_wait -> dispatched (${sessionId})`,
    });
  } finally {
    client.release();
  }
});

test("a message goes only along the edges of its status", async () => {
  const sessionId = await newSession();
  const move = (to: string) =>
    database.db.pool.query("update dari.messages set state = $2 where session_id = $1", [sessionId, to]);
  await expect(move("waiting_for_input")).rejects.toMatchObject({
    code: "DA001",
    message: expect.stringMatching(/^undeclared edge of messages\.state: queued -> waiting_for_input \(msg_/),
  });
});
