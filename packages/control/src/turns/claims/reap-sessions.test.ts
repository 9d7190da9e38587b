// The reaper treats a database that accepts no writes like one that is away.

import { mock } from "node:test";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createPgNotifier, readDueWork, withinTransaction, type Database } from "@dari/db";
import { limits, type Notifier } from "@dari/domain";
import { createTestDatabase, type TestDatabase } from "@dari/testkit";
import { createReaper } from "./reap-sessions.ts";

const leaseMs = 60_000;
const reapEveryMs = 1_000;
let database: TestDatabase;
let notifier: Notifier;
beforeAll(async () => {
  database = await createTestDatabase();
  notifier = createPgNotifier(database.db, "dari-test-notifier");
});
afterAll(async () => {
  await notifier.close();
  await database.close();
});

test("it fails without writes, while it holds and later, and then holds again", async () => {
  const logged: string[] = [];
  const silent = (): void => undefined;
  const log = { debug: silent, info: (_: unknown, event?: string) => void logged.push(String(event)) };
  const context = { db: database.db, notifier, log: { ...log, warn: silent, error: silent } };
  const hasExpired = async (): Promise<boolean> => (await readDueWork(context.db)).expired;
  const reaper = createReaper(context, { leaseMs, reapEveryMs, hasExpired });
  let now = performance.now();
  const clock = mock.method(performance, "now", () => now);
  const runAfter = (ms: number): Promise<unknown> => {
    now += ms;
    return reaper.runOnce();
  };
  const failReadOnlyAfter = (ms: number): Promise<void> =>
    whileReadOnly(database.db, async (bound) => {
      context.db = bound;
      await expect(runAfter(ms)).rejects.toThrow("the database accepts no writes");
      context.db = database.db;
    });
  try {
    await runAfter(0);
    await failReadOnlyAfter(leaseMs / 4);
    await runAfter(0);
    await runAfter(leaseMs / 4 + 1);
    await failReadOnlyAfter(leaseMs / limits.leaseRenewals);
    expect(logged).toEqual(["reaper.holds"]);
    await runAfter(reapEveryMs + 1);
    expect(logged).toEqual(["reaper.holds", "reaper.holds"]);
  } finally {
    clock.mock.restore();
  }
});

function whileReadOnly(db: Database, work: (bound: Database) => Promise<void>): Promise<void> {
  return db.kysely
    .transaction()
    .setAccessMode("read only")
    .execute((tx) => work(withinTransaction(db, tx)));
}
