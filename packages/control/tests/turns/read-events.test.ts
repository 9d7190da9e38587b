// Events for listeners of many sessions are read together, and completely.

import type { EventRecord } from "@dari/contract";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { Database } from "@dari/db";
import {
  createTestAgent,
  createTestDatabase,
  createTestMessage,
  createTestOrganization,
  createTestSession,
  type TestDatabase,
} from "@dari/testkit";
import { readEvents, readEventsCoalesced } from "../../src/turns/sessions/list-events.ts";

let database: TestDatabase;
let organizationId: string;
let agentId: string;
let statements: number;
beforeAll(async () => {
  database = await createTestDatabase();
  ({ organizationId } = await createTestOrganization(database.db));
  ({ agentId } = await createTestAgent(database.db, organizationId));
});
afterAll(() => database.close());
beforeEach(() => {
  statements = 0;
});

type Plugin = Parameters<Database["kysely"]["withPlugin"]>[0];

/** Returns the organization's database, which counts its statements. */
function counting(): Database {
  const db = database.db.forOrganization(organizationId);
  const plugin: Plugin = {
    transformQuery({ node }) {
      statements += 1;
      return node;
    },
    transformResult: ({ result }) => Promise.resolve(result),
  };
  return { ...db, kysely: db.kysely.withPlugin(plugin) };
}

async function sessionWith(events: number, bytes = 1): Promise<string> {
  const sessionId = await createTestSession(database.db, organizationId, agentId);
  await database.db.pool.query(
    `with numbered as (
      update sessions set next_event_number = next_event_number + $2::int where id = $1
      returning next_event_number - $2::int as first)
    insert into events (session_id, sequence_number, organization_id, type, data)
      select $1, first + n, $3, 'agent.event', jsonb_build_object('text', repeat('x', $4))
      from numbered, generate_series(0, $2::int - 1) n`,
    [sessionId, events, organizationId, bytes],
  );
  return sessionId;
}

async function readAll(db: Database, sessionId: string, from = 0): Promise<EventRecord[]> {
  const all: EventRecord[] = [];
  for (let more = true; more;) {
    const afterSequenceNumber = all.at(-1)?.sequence_number ?? from;
    const found = await readEventsCoalesced(db, { organizationId, sessionId, afterSequenceNumber, limit: 200 });
    all.push(...found.events);
    more = found.more;
    if (more) expect(found.events.length).toBeGreaterThan(0);
  }
  return all;
}

test("requests of one moment are read by two statements, however many sessions they concern", async () => {
  const sessionIds = await Promise.all(Array.from({ length: 30 }, () => sessionWith(2)));
  const db = counting();
  const found = await Promise.all(sessionIds.map((id) => readAll(db, id)));
  expect(found.map((events) => events.length)).toEqual(sessionIds.map(() => 3));
  expect(statements).toBe(2);
});

test("each session's events are its own, from the requested number, however many and large they are", async () => {
  const ended = await createTestSession(database.db, organizationId, agentId);
  const messageId = await createTestMessage(database.db, organizationId, ended);
  await database.db.pool.query(
    "update events set type = 'message.cancelled' where message_id = $1 and type = 'user.message'",
    [messageId],
  );
  const sessionIds = [ended, await sessionWith(70), await sessionWith(3, 20_000), await sessionWith(2, 100_000)];
  const empty = await sessionWith(0);
  const db = counting();
  for (const from of [0, 2]) {
    const found = await Promise.all([...sessionIds, empty].map((id) => readAll(db, id, from)));
    const alone = [...sessionIds, empty].map(async (sessionId) => {
      const all = { organizationId, sessionId, afterSequenceNumber: from, limit: 200 };
      return (await readEvents(database.db, all)).rows;
    });
    expect(found).toEqual(await Promise.all(alone));
  }
});

test("two positions of one session are kept apart", async () => {
  const sessionId = await sessionWith(5);
  const db = counting();
  const found = await Promise.all([0, 4, 2].map((from) => readAll(db, sessionId, from)));
  expect(found.map((events) => events.map((event) => event.sequence_number))).toEqual([
    [1, 2, 3, 4, 5, 6],
    [5, 6],
    [3, 4, 5, 6],
  ]);
});

test("no other session's events are read", async () => {
  const stranger = await createTestOrganization(database.db);
  const sessionId = await sessionWith(1);
  const of = { organizationId: stranger.organizationId, sessionId, afterSequenceNumber: 0, limit: 200 };
  expect(await readEventsCoalesced(database.db, of)).toEqual({ events: [], more: false });
});
