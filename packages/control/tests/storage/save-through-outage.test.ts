// A finished turn is saved although the database fails in between.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import { findViolations, openDatabase } from "@dari/db";
import { endsPostgresReply, startFaultProxy } from "@dari/testkit";
import { openWorkspaceFixture } from "./workspace-fixture.ts";

const fixture = await openWorkspaceFixture();
afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
});

test("a connection that breaks while the turn's object is recorded does not fail the turn", async () => {
  await using stack = new AsyncDisposableStack();
  const url = new URL(fixture.databaseUrl);
  const proxy = stack.use(await startFaultProxy({ port: Number(url.port) }));
  url.port = String(proxy.port);
  const db = stack.adopt(openDatabase({ url: url.toString(), poolMax: 2, applicationName: "dari-test" }), (opened) =>
    opened.close(),
  );
  const worker = { ...(await fixture.newWorker()), db };
  const broken = proxy.dropReply({ request: "record_object", endsReply: endsPostgresReply, then: "cut" });
  const sessionId = await fixture.newSession();
  const { saved } = await fixture.turn(worker, sessionId, (dir) => writeFileSync(join(dir, "workspace", "a"), "x"));
  await broken;
  expect(await fixture.headOf(sessionId)).toBe(saved.snapshot.id);
  expect(await findViolations(fixture.db)).toEqual([]);
});
