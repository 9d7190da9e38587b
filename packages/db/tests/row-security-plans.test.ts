// Row-level security must not cost a plan: behind it, a call reads the rows that it would read without.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "@dari/testkit";
import { newId } from "@dari/domain";
import { dispatch, events, messages, sessions, turns, type Database } from "../src/index.ts";
import { fillBacklog } from "./backlog-rows.ts";
import { countRowsRead, vacuumAnalyze } from "./rows-read.ts";

const size = { organizations: 20, sessions: 300, longSession: 200 };
let database: TestDatabase;
let organizationId: string;
let idleSession: string;
let longSession: string;
beforeAll(async () => {
  database = await createTestDatabase();
  ({ organizationId, idleSession, longSession } = await fillBacklog(database.db, "a", size));
  await vacuumAnalyze(database.url);
});
afterAll(() => database.close());

function accept(db: Database): Promise<unknown> {
  const message = {
    messageId: newId("message"),
    parts: [{ type: "text", text: "hello" }],
    metadata: {},
    attachments: [],
  };
  const sent = { ...message, organizationId, sessionId: idleSession, dispatchTtlMs: undefined };
  return turns.acceptMessage(db, sent).then(({ outcome }) => expect(outcome).toBe("accepted"));
}

function ledger() {
  return { organizationId, sessionId: idleSession, afterSequenceNumber: 0 };
}

const few = { limit: 9, maxBytes: 1_000 };

function ledgers() {
  return [idleSession, longSession].map((sessionId) => ({ sessionId, afterSequenceNumber: 0 }));
}

const calls: readonly [what: string, call: (db: Database) => Promise<unknown>, most: number][] = [
  ["a message that is accepted", accept, 60],
  ["a message", (db) => messages.findMessage(db, organizationId, "msg_along7"), 20],
  ["several messages", (db) => messages.listMessagesByIds(db, organizationId, ["msg_along7", "msg_along9"]), 40],
  ["a page of messages", (db) => messages.listMessages(db, organizationId, longSession, { limit: 20 }), 400],
  ["a page of sessions", (db) => sessions.listSessions(db, organizationId, { metadata: [] }, { limit: 20 }), 200],
  ["a page of events", (db) => events.listEvents(db, { ...ledger(), limit: 9 }), 60],
  ["events of several sessions", (db) => events.listEventsOfSessions(db, organizationId, ledgers(), few), 60],
  ["the open messages, up to a bound", (db) => dispatch.countOpenMessages(db, organizationId, 100), 400],
];

test.each(calls)("%s", async (_what, call, most) => {
  // Once for each: what is accepted first finds the session idle.
  await call(database.db);
  const without = await countRowsRead(database.db, call);
  const behind = await countRowsRead(database.db.forOrganization(organizationId), call);
  expect(behind).toBeLessThanOrEqual(without + 2);
  expect(behind).toBeLessThanOrEqual(most);
});
