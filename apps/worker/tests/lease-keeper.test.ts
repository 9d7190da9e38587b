// Leases of a worker that was suspended, or whose database is unavailable.

import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { claimTurn } from "@dari/control/turns";
import { openDatabase, type ClaimedTurn, type Database } from "@dari/db";
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
import { createLeaseKeeper, type LeaseKeeper } from "../src/turn/lease-keeper.ts";

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

/** A claim that stays: no reaper runs here. */
async function claimed(): Promise<ClaimedTurn> {
  const sessionId = await createTestSession(database.db, place.organizationId, place.agentId);
  await createTestMessage(database.db, place.organizationId, sessionId);
  const claimant = { workerId: newId("worker"), leaseMs: 600_000, guarantees: {} };
  const claim = await claimTurn(database.db, { sessionId, dispatchNumber: 1 }, claimant);
  if (claim.outcome !== "claimed") throw new Error(claim.outcome);
  return claim.turn;
}

/** Acts like a stopped process: nothing runs, and clocks continue. */
function freeze(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test("nothing is checked while there are no leases", async () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const keeper = keep(database.db, 600_000, 200_000);
  const turn = await claimed();
  const before = timers();
  const lease = keeper.hold(turn);
  expect(timers()).toBe(before + 1);
  lease.release();
  await waitUntil(() => timers() === before, { what: "the end of the checks" });
});

test("nothing is checked after the end", async () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const keeper = keep(database.db, 600_000, 200_000);
  const turn = await claimed();
  await keeper.close();
  const before = timers();
  keeper.hold(turn);
  expect(timers()).toBe(before);
});

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

test("a claim whose answer arrives after its lease has passed is lost immediately", async () => {
  const keeper = keep(database.db, 60_000, 20_000);
  const turn = await claimed();
  await keeper.check();
  const late = keeper.hold({ ...turn, askedAt: turn.askedAt - 60_000 });
  const inTime = keeper.hold(await claimed());
  await waitUntil(() => late.signal.aborted, { what: "the turn to be stopped" });
  expect([late.signal.reason, inTime.signal.aborted]).toEqual(["lost", false]);
});

test("while the database is down turns continue, and the worker reports that it renews nothing", async () => {
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

test("a claim that was in progress when everything was stopped is stopped as well", async () => {
  const keeper = keep(database.db, 3_000, 1_000);
  const running = keeper.hold(await claimed());
  keeper.stopAll("released");
  const late = keeper.hold(await claimed());
  expect([running.signal.reason, late.signal.reason]).toEqual(["released", "released"]);
});

test("a claim of a session that this worker has claimed again since is lost, the newer one is not", async () => {
  const keeper = keep(database.db, 60_000, 50);
  const { sessionId, messageId, ...before } = await claimed();
  const superseded = keeper.hold({ ...before, sessionId });
  // Like after a step of the database's clock: the session was reaped and claimed again before this worker noticed.
  await database.db.pool.query(
    "update dari.sessions set fence = fence + 1, claim_token = gen_random_uuid() where id = $1",
    [sessionId],
  );
  const { rows } = await database.db.pool.query<{ fence: number; token: string }>(
    "select fence::int, claim_token as token from dari.sessions where id = $1",
    [sessionId],
  );
  const holding = keeper.hold({ sessionId, askedAt: performance.now(), ...rows[0]! });
  await waitUntil(() => superseded.signal.aborted, { what: `the first claim of ${messageId} to be stopped` });
  expect([superseded.signal.reason, holding.signal.aborted]).toEqual(["lost", false]);
});

test("a message that steers is announced to its turn, also if it came before the claim's reply", async () => {
  // Only a nudge renews within this test.
  const keeper = keep(database.db, 600_000, 200_000);
  await keeper.check();
  const [turn, other] = [await claimed(), await claimed()];
  const announced: string[] = [];
  await createTestMessage(database.db, place.organizationId, turn.sessionId, { onBusy: "steer" });
  keeper.nudge();
  for (const each of [other, turn]) keeper.hold(each).onSteering(() => void announced.push(each.sessionId));
  await waitUntil(() => announced.length > 0, { what: "the message to be announced" });
  expect(announced).toEqual([turn.sessionId]);
});

test("a renewal that was answered while the process was busy counts", async () => {
  const keeper = keep(database.db, 60_000, 20_000);
  const first = await claimed();
  keeper.hold(first);
  keeper.nudge();
  await waitUntil(() => hasNewLease(first), { what: "a connection" });
  const turn = await claimed();
  const almostOver = keeper.hold({ ...turn, askedAt: performance.now() - 59_800 });
  keeper.nudge();
  for (let n = 0; n < 50; n++) await new Promise<void>((resolve) => process.nextTick(resolve));
  freeze(500);
  await waitUntil(() => hasNewLease(turn), { what: "its lease to be renewed" });
  expect(almostOver.signal.aborted).toBe(false);
});

test("a renewal does not wait for a connection that turns use", async () => {
  const busy = openDatabase({ url: database.url, poolMax: 1, role: "dari_app", applicationName: "busy" });
  const client = await busy.pool.connect();
  const keeper = keep(busy, 60_000, 50);
  const turn = await claimed();
  const held = keeper.hold(turn);
  await waitUntil(() => hasNewLease(turn), { what: "its lease to be renewed" });
  expect(held.signal.aborted).toBe(false);
  client.release();
  await busy.close();
});

test("where the server allows no more connections, leases are renewed over those of turns", async () => {
  const role = `dari_limited_${randomUUID().slice(0, 8)}`;
  const admin = openDatabase({ url: database.url, poolMax: 1, applicationName: "admin" });
  await admin.pool.query(`create role ${role} login password 'limited' connection limit 1 in role dari_app`);
  const url = new URL(database.url);
  [url.username, url.password] = [role, "limited"];
  const only = openDatabase({ url: url.toString(), poolMax: 1, role: "dari_app", applicationName: "only" });
  const turn = await claimed();
  await only.pool.query("select 1");
  const keeper = keep(only, 60_000, 50);
  const held = keeper.hold(turn);
  await waitUntil(() => hasNewLease(turn), { what: "its lease to be renewed" });
  expect(held.signal.aborted).toBe(false);
  await keeper.close();
  await only.close();
  await admin.pool.query(`drop role ${role}`);
  await admin.close();
});

/** Returns whether a keeper has renewed a claim of `claimed`. */
async function hasNewLease({ sessionId }: ClaimedTurn): Promise<boolean> {
  const { rows } = await database.db.pool.query<{ is: boolean }>(
    "select lease_until < clock_timestamp() + interval '5 minutes' as is from dari.sessions where id = $1",
    [sessionId],
  );
  return rows[0]?.is === true;
}

/** Locks the session's row during `work`, like a fork of a long conversation. */
async function whileHeld(sessionId: string, work: () => Promise<unknown>): Promise<void> {
  const client = await database.db.pool.connect();
  try {
    await client.query("begin");
    await client.query("select 1 from dari.sessions where id = $1 for share", [sessionId]);
    await work();
    await client.query("commit");
  } finally {
    client.release();
  }
}

test("a session whose row is locked for long costs no other session of the worker its lease", async () => {
  const keeper = keep(database.db, 4_000, 1_000);
  const [first, second] = [await claimed(), await claimed()];
  const [blocked, free] = [keeper.hold(first), keeper.hold(second)];
  await whileHeld(first.sessionId, () =>
    waitUntil(() => blocked.signal.aborted, { what: "the deadline of the one that is held to pass" }),
  );
  expect([blocked.signal.reason, free.signal.aborted]).toEqual(["lost", false]);
});

test("a session whose row is locked for a while is renewed as soon as it is free", async () => {
  const keeper = keep(database.db, 60_000, 20_000);
  const turn = await claimed();
  keeper.hold(turn);
  await whileHeld(turn.sessionId, () => {
    keeper.nudge();
    return keeper.check();
  });
  await waitUntil(() => hasNewLease(turn), { what: "its lease to be renewed" });
});

test("a turn that listens late is told of what waited before", async () => {
  const keeper = keep(database.db, 60_000, 20_000);
  const [late, early] = [await claimed(), await claimed()];
  const [lateLease, earlyLease] = [keeper.hold(late), keeper.hold(early)];
  let isTold = false;
  earlyLease.onSteering(() => (isTold = true));
  for (const { sessionId } of [late, early]) {
    await createTestMessage(database.db, place.organizationId, sessionId, { onBusy: "steer" });
  }
  keeper.nudge();
  await waitUntil(() => isTold, { what: "a renewal of both leases" });
  let isLateTold = false;
  lateLease.onSteering(() => (isLateTold = true));
  expect(isLateTold).toBe(true);
});
