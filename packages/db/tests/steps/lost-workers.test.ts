// Attempts that lose their worker after the agent was called: the first of a message adds an attempt, later ones do
// not.

import { failure } from "@dari/domain";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { testManifest } from "@dari/testkit";
import type { Database } from "../../src/index.ts";
import { openEncounter, type Encounter } from "./encounter.ts";
import {
  accept,
  agentError,
  answer,
  cancel,
  claim,
  dispatchOne,
  drain,
  faultsAfterDrain,
  finish,
  letTimePass,
  markCalled,
  openPlace,
  reap,
  suspend,
  take,
  workerLost,
  type Place,
} from "./place.ts";

let encounter: Encounter;
let db: Database;
beforeAll(async () => {
  encounter = await openEncounter();
  db = encounter.db;
});
afterAll(async () => encounter[Symbol.asyncDispose]());

/** A session with one message, of an agent with these retries. */
async function sent(retries: object): Promise<Place> {
  const place = await openPlace(db, retries);
  await accept(place, db);
  return place;
}

/** Begins the next attempt and calls its agent. Returns the attempt's number. */
async function call(place: Place): Promise<number | undefined> {
  const [moved] = await dispatchOne(place, db);
  await claim(place, db, moved?.dispatchNumber ?? 0, 0);
  await markCalled(place, db);
  return place.turn?.attemptNumber;
}

async function fail(place: Place): Promise<unknown> {
  await finish(place, db, "retry");
  await letTimePass(place, db);
  return reap(place, db);
}

interface MessageRow {
  readonly state: string;
  readonly attempts: number;
  readonly max_attempts: number;
  readonly code: string | null;
}

async function messageOf(place: Place): Promise<MessageRow | undefined> {
  const { rows } = await db.pool.query<MessageRow>(
    `select state, attempts, max_attempts, output -> 'error' ->> 'code' as code from messages
      where session_id = $1 order by sequence_number limit 1`,
    [place.sessionId],
  );
  return rows[0];
}

async function failuresOf(place: Place): Promise<unknown[]> {
  const { rows } = await db.pool.query<{ error: { code: string; message: string } | null }>(
    `select data -> 'error' as error from events where session_id = $1 and type = 'attempt.ended'
      order by sequence_number`,
    [place.sessionId],
  );
  return rows.map(({ error }) => error?.message);
}

test("a turn that is lost each time fails after its attempts and the one that is added", async () => {
  const place = await sent(testManifest.retries);
  const recorded: string[] = [];
  const numbers: unknown[] = [];
  for (let attempt = 1; attempt <= 4; attempt++) {
    numbers.push(await call(place));
    recorded.push(...(await reap(place, db)).map((one) => one.recorded));
  }
  expect(recorded).toEqual(["lost", "lost", "lost", "failed"]);
  expect(numbers).toEqual([1, 2, 3, 4]);
  expect(await faultsAfterDrain(place, db)).toEqual([]);
});

const says = {
  again: "the worker that ran the turn was lost, or had no memory left; the turn is run again",
  failed: failure("worker_lost").message,
};

test("with one attempt, the turn of a lost worker runs once more, and says so", async () => {
  const place = await sent({ max_attempts: 1, on_worker_lost: true });
  await call(place);
  expect(await reap(place, db)).toEqual([{ was: "leased", recorded: "lost" }]);
  expect(await messageOf(place)).toEqual({ state: "queued", attempts: 1, max_attempts: 2, code: null });
  expect(await call(place)).toBe(2);
  expect(await reap(place, db)).toEqual([{ was: "leased", recorded: "failed" }]);
  expect(await messageOf(place)).toEqual({ state: "failed", attempts: 2, max_attempts: 2, code: "worker_lost" });
  expect(await failuresOf(place)).toEqual([says.again, says.failed]);
  expect(await faultsAfterDrain(place, db)).toEqual([]);
});

test.each([
  ["that asks for no such attempt", { max_attempts: 1, on_worker_lost: false }],
  ["that cannot be read", { max_attempts: 1, on_worker_lost: "yes" }],
])("the turn of a version %s is not run again", async (_which, retries) => {
  const place = await sent(retries);
  await call(place);
  expect(await reap(place, db)).toEqual([{ was: "leased", recorded: "failed" }]);
  expect(await messageOf(place)).toEqual({ state: "failed", attempts: 1, max_attempts: 1, code: "worker_lost" });
  expect(await failuresOf(place)).toEqual([says.failed]);
  expect(await faultsAfterDrain(place, db)).toEqual([]);
});

test("a loss that adds no attempt uses one of several", async () => {
  const place = await sent({ max_attempts: 2, on_worker_lost: false });
  await call(place);
  expect(await reap(place, db)).toEqual([{ was: "leased", recorded: "lost" }]);
  await call(place);
  expect(await reap(place, db)).toEqual([{ was: "leased", recorded: "failed" }]);
  expect(await messageOf(place)).toEqual({ state: "failed", attempts: 2, max_attempts: 2, code: "worker_lost" });
});

test("a loss leaves the agent as many attempts as it had, whether it fails before or after", async () => {
  const early = await sent({ max_attempts: 2, on_worker_lost: true });
  await call(early);
  await reap(early, db);
  const late = await sent({ max_attempts: 2, on_worker_lost: true });
  for (const place of [early, late]) {
    await call(place);
    await fail(place);
  }
  await call(late);
  expect(await reap(late, db)).toEqual([{ was: "leased", recorded: "lost" }]);
  for (const place of [early, late]) {
    expect(await messageOf(place)).toEqual({ state: "queued", attempts: 2, max_attempts: 3, code: null });
    await call(place);
    await finish(place, db, "retry");
    expect(await messageOf(place)).toEqual({ state: "failed", attempts: 3, max_attempts: 3, code: agentError.code });
    expect(await faultsAfterDrain(place, db)).toEqual([]);
  }
});

test("what does not count adds nothing: a loss before the call, a release, a wait for an input", async () => {
  const place = await sent({ max_attempts: 1, on_worker_lost: true });
  const [moved] = await dispatchOne(place, db);
  await claim(place, db, moved?.dispatchNumber ?? 0, 0);
  expect(await reap(place, db)).toEqual([{ was: "leased", recorded: "lost" }]);
  expect(await failuresOf(place)).toEqual([says.again]);
  await call(place);
  await finish(place, db, "released");
  await call(place);
  await suspend(place, db);
  await answer(place, db);
  expect(await messageOf(place)).toEqual({ state: "queued", attempts: 0, max_attempts: 1, code: null });
  // A turn that continues after its input can lose its worker too.
  expect(await call(place)).toBe(1);
  await reap(place, db);
  expect(await call(place)).toBe(2);
  expect(await finish(place, db, "completed")).toMatchObject({ recorded: "completed" });
  expect(await faultsAfterDrain(place, db)).toEqual([]);
});

test("the loss of a cancelled turn ends it", async () => {
  const place = await sent({ max_attempts: 1, on_worker_lost: true });
  await call(place);
  await cancel(place, db);
  expect(await reap(place, db)).toEqual([{ was: "leased", recorded: "cancelled" }]);
  expect(await messageOf(place)).toEqual({ state: "cancelled", attempts: 1, max_attempts: 1, code: "cancelled" });
  expect(await faultsAfterDrain(place, db)).toEqual([]);
});

test("messages that steered the lost turn wait for the next attempt", async () => {
  const place = await sent({ max_attempts: 1, on_worker_lost: true });
  await accept(place, db, { onBusy: "steer" });
  await call(place);
  expect(await take(place, db)).toEqual(["m2"]);
  await reap(place, db);
  await call(place);
  expect(await take(place, db)).toEqual(["m2"]);
  expect(await finish(place, db, "completed")).toMatchObject({ recorded: "completed", more: false });
  expect(await faultsAfterDrain(place, db)).toEqual([]);
});

test.each(["worker", "reaper"] as const)("a loss that worker and reaper see adds one (%s first)", async (first) => {
  const place = await sent({ max_attempts: 1, on_worker_lost: true });
  await call(place);
  const ends: Record<"worker" | "reaper", (at: Database) => Promise<unknown>> = {
    worker: (at) => finish(place, at, "retry", 0, workerLost),
    reaper: (at) => reap(place, at),
  };
  await encounter.meet(ends[first], "commit", ends[first === "worker" ? "reaper" : "worker"]);
  expect(await messageOf(place)).toEqual({ state: "queued", attempts: 1, max_attempts: 2, code: null });
  expect(await failuresOf(place)).toHaveLength(1);
  expect(await drain(place, db)).toBe(0);
});
