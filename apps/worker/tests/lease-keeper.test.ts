// Leases of a worker that was frozen, or whose database is away.

import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { claimTurn, type ClaimedTurn, type Database } from "@dari/control";
import { openDatabase } from "@dari/db";
import { newId } from "@dari/domain";
import { createLogger } from "@dari/runtime";
import {
  createTestAgent,
  createTestDatabase,
  createTestMessage,
  createTestOrganization,
  createTestSession,
  waitUntil,
  type TestDatabase,
} from "@dari/testkit";
import { createLeaseKeeper, type LeaseKeeper } from "../src/lease-keeper.ts";

let database: TestDatabase;
let place: { organizationId: string; agentId: string };
const keepers: LeaseKeeper[] = [];
const log = createLogger({ name: "keeper", level: "silent" });

beforeAll(async () => {
  database = await createTestDatabase();
  const { organizationId } = await createTestOrganization(database.db);
  const { agentId } = await createTestAgent(database.db, organizationId);
  place = { organizationId, agentId };
});

afterEach(async () => {
  for (const keeper of keepers.splice(0)) await keeper.close();
});

afterAll(() => database.close());

function keep(db: Database, leaseMs: number, renewMs: number): LeaseKeeper {
  const keeper = createLeaseKeeper({ db, leaseMs, renewMs, log });
  keepers.push(keeper);
  return keeper;
}

/** A claim that nobody takes away: no reaper runs here. */
async function claimed(): Promise<ClaimedTurn> {
  const sessionId = await createTestSession(database.db, place.organizationId, place.agentId);
  await createTestMessage(database.db, place.organizationId, sessionId);
  const claimant = { workerId: newId("worker"), leaseMs: 600_000, guarantees: {} };
  const claim = await claimTurn(database.db, { sessionId, dispatchNumber: 1 }, claimant);
  if (claim.outcome !== "claimed") throw new Error(claim.outcome);
  return claim.turn;
}

/** As a stopped process: nothing runs, clocks go on. */
function freeze(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test("a process that was frozen past its lease stops its turns before it asks anybody", async () => {
  const keeper = keep(database.db, 400, 50);
  const frozen = keeper.hold(await claimed());
  await keeper.check();
  freeze(600);
  await waitUntil(() => frozen.signal.aborted, { what: "the turn to be stopped" });
  // The database would still renew it: no one else has claimed the session.
  expect(frozen.signal.reason).toBe("lost");
  frozen.release();
  const next = keeper.hold(await claimed());
  await waitUntil(() => keeper.check().then(() => true), { what: "leases to be renewed again" });
  expect(next.signal.aborted).toBe(false);
});

test("while the database is down turns go on, and the worker says that it renews nothing", async () => {
  const away = openDatabase({ url: "postgres://dari@127.0.0.1:9/none", poolMax: 1, applicationName: "away" });
  const keeper = keep(away, 300, 50);
  const held = keeper.hold(await claimed());
  await waitUntil(
    () =>
      keeper.check().then(
        () => false,
        (error: Error) => error.message.startsWith("no lease was renewed"),
      ),
    { what: "the keeper to say so" },
  );
  expect(held.signal.aborted).toBe(false);
  await away.close();
});

test("a claim that was under way when everything was stopped is told to stop as well", async () => {
  const keeper = keep(database.db, 3_000, 1_000);
  const running = keeper.hold(await claimed());
  keeper.stopAll("released");
  const late = keeper.hold(await claimed());
  expect([running.signal.reason, late.signal.reason]).toEqual(["released", "released"]);
});
