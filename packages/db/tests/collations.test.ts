// Databases that sort by the rules of a language instead of by bytes.

import { createTestAgent, createTestDatabase, createTestOrganization, createTestSession } from "@dari/testkit";
import { expect, test } from "@jest/globals";
import pg from "pg";
import { migrate, openDatabase, sessionSummaries } from "../src/index.ts";

test("the first page of sessions has the newest, also where ~ sorts before digits", async () => {
  await using stack = new AsyncDisposableStack();
  const database = await createTestDatabase();
  stack.defer(() => database.close());
  const own = new URL(database.url);
  const name = `${own.pathname.slice(1)}_icu`;
  own.pathname = `/${name}`;
  const owner = new pg.Client({ connectionString: database.url });
  await owner.connect();
  stack.defer(() => owner.end());
  await owner.query(`create database "${name}" template template0 locale_provider icu icu_locale 'en-US'`);
  stack.defer(async () => void (await owner.query(`drop database "${name}" with (force)`)));
  await migrate(own.href);
  const db = openDatabase({ url: own.href, poolMax: 2, tenants: 2, role: "dari_app", applicationName: "dari-test" });
  stack.defer(() => db.close());
  const { rows } = await owner.query(`select '~' < '0' collate "en-US-x-icu" as linguistic`);
  expect(rows).toEqual([{ linguistic: true }]);
  const { organizationId } = await createTestOrganization(db);
  const { agentId } = await createTestAgent(db, organizationId);
  const sessionId = await createTestSession(db, organizationId, agentId);
  const found = await sessionSummaries.findSessionsByActivity(db, organizationId, { metadata: [] }, { limit: 10 });
  expect(found).toEqual({ sessionIds: [sessionId], next: null });
});
