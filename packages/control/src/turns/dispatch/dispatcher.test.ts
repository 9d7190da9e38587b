// The dispatcher on a real database: first messages beside a flood, weights, limits, and a change of leader.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createPgNotifier, findViolations, turns, workers, type Database } from "@dari/db";
import { limits, newId, type DispatchedTurn, type Lane, type Notifier, type WorkerReport } from "@dari/domain";
import {
  createTestAgent,
  createTestDatabase,
  createTestOrganization,
  createTestSession,
  testManifest,
  waitUntil,
  testWorker,
} from "@dari/testkit";
import { createAdmission } from "./admission.ts";
import { createDispatcher, dispatcherLead, type Dispatcher } from "./dispatcher.ts";
import { workerSeenWithinMs } from "./slot-limits.ts";

let stack: AsyncDisposableStack;
let db: Database;
let notifier: Notifier;
let dispatcher: Dispatcher;
/** Dispatched and not yet ended. */
let inFlight: DispatchedTurn[];

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  const database = await createTestDatabase();
  stack.defer(() => database.close());
  db = database.db;
  notifier = createPgNotifier(db, "dari-test-notifier");
  stack.defer(() => notifier.close());
  inFlight = [];
  const silent = (): void => undefined;
  dispatcher = createDispatcher(
    {
      db,
      notifier,
      log: { debug: silent, info: silent, warn: silent, error: silent },
      delivery: { available: true, deliver: async (more) => void inFlight.push(...more) },
    },
    { holder: "test", leadTtlMs: 60_000, dispatchTtlMs: 60_000, workerSeenWithinMs },
  );
  await offer(10);
});
afterEach(() => stack.disposeAsync());

async function offer(slots: number, report: Partial<WorkerReport> = {}): Promise<void> {
  await workers.upsertWorkerSeen(db, testWorker({ id: "wrk_test", slots }, report));
}

/** Creates an organization with this many sessions, each with one waiting message. */
async function organization(
  sessions: number,
  settings: { weight?: number; maxConcurrency?: number; lane?: Lane; ofAgent?: number } = {},
): Promise<string> {
  const { organizationId } = await createTestOrganization(db);
  const runtime = { ...testManifest.runtime, ...(settings.ofAgent && { max_concurrency: settings.ofAgent }) };
  const { agentId } = await createTestAgent(db, organizationId, { manifest: { ...testManifest, runtime } });
  await db.pool.query("update organizations set weight = $2, max_concurrency = $3 where id = $1", [
    organizationId,
    settings.weight ?? 1,
    settings.maxConcurrency ?? null,
  ]);
  for (let i = 0; i < sessions; i += 10) {
    const batch = Array.from({ length: Math.min(10, sessions - i) }, () =>
      createTestSession(db, organizationId, agentId).then((session) => send(organizationId, session, settings.lane)),
    );
    await Promise.all(batch);
  }
  return organizationId;
}

async function send(organizationId: string, sessionId: string, lane?: Lane): Promise<void> {
  const accepted = await turns.acceptMessage(db, {
    organizationId,
    sessionId,
    messageId: newId("message"),
    parts: [{ type: "text", text: "hello" }],
    metadata: {},
    attachments: [],
    dispatchTtlMs: undefined,
    lane,
  });
  if (accepted.outcome !== "accepted") throw new Error(`no message: ${accepted.outcome}`);
}

/** Ends the oldest running turn, like a worker that has held it for a second. */
async function endOne(): Promise<void> {
  const turn = inFlight.shift();
  if (turn === undefined) throw new Error("nothing is in flight");
  const claimed = await turns.claimIfDispatched(db, turn, newId("attempt"), {
    workerId: "wrk_test",
    leaseMs: 60_000,
    guarantees: {},
  });
  if (claimed.outcome !== "claimed") throw new Error(`not claimed: ${claimed.outcome}`);
  await db.pool.query("update attempts set claimed_at = claimed_at - interval '1 second' where session_id = $1", [
    turn.sessionId,
  ]);
  const failure = { code: "agent_error", message: "ends at once" } as const;
  await turns.finishIfHeld(db, claimed.turn, { ending: "failed", failure, output: { parts: [], error: failure } });
}

function held(organizationId: string): number {
  return inFlight.filter((turn) => turn.organizationId === organizationId).length;
}

test("a tick that may have no work only keeps the lead", async () => {
  const waiting = await organization(1);
  expect(await dispatcher.tick(async () => false)).toEqual({ leading: true, dispatched: 0, redispatched: 0 });
  expect(await workers.hasLeader(db, "dispatcher", 60_000)).toBe(true);
  expect(await dispatcher.tick(async () => true)).toMatchObject({ dispatched: 1 });
  expect(held(waiting)).toBe(1);
});

test("no session waits for a process that has lost the lead", async () => {
  await offer(1);
  await organization(2);
  await dispatcher.tick();
  expect(dispatcher.hasWaitingSessions).toBe(true);
  await workers.resignIfLeading(db, dispatcherLead, "test");
  await workers.leadIfFree(db, dispatcherLead, "another", 60_000);
  await waitUntil(async () => !(await dispatcher.tick()).leading, { what: "the loss of the lead" });
  expect(dispatcher.hasWaitingSessions).toBe(false);
});

test("a first message is dispatched in the first tick with a free slot, during a flood", async () => {
  const flood = await organization(500);
  await organization(0);
  // A worker that has not been seen for a while offers nothing.
  await offer(10);
  await dispatcher.tick();
  expect(held(flood)).toBe(9);
  const first = await organization(1);
  await dispatcher.tick();
  expect([held(flood), held(first)]).toEqual([9, 1]);

  const second = await organization(1);
  await dispatcher.tick();
  expect([held(flood), held(second)]).toEqual([9, 0]);
  await endOne();
  await dispatcher.tick();
  expect([held(flood), held(second)]).toEqual([8, 1]);
  expect(await findViolations(db)).toEqual([]);
});

test("turns of two organizations that always wait are shared by their weights", async () => {
  const twice = await organization(250, { weight: 2 });
  const once = await organization(150);
  const dispatched: Record<string, number> = { [twice]: 0, [once]: 0 };
  let total = 0;
  while (total < 300) {
    const before = inFlight.length;
    // A worker that has not been seen for a while offers nothing.
    await offer(10);
    await dispatcher.tick();
    for (const turn of inFlight.slice(before)) {
      dispatched[turn.organizationId] = (dispatched[turn.organizationId] ?? 0) + 1;
      total += 1;
    }
    while (inFlight.length > 0) await endOne();
  }
  const ratio = (dispatched[twice] ?? 0) / (dispatched[once] ?? 1);
  expect(ratio).toBeGreaterThan(1.8);
  expect(ratio).toBeLessThan(2.2);
});

test("an organization's own limit and the default one apply", async () => {
  const bound = await organization(20, { maxConcurrency: 2 });
  const other = await organization(20);
  for (let i = 0; i < 5; i++) {
    await dispatcher.tick();
    expect([held(bound), held(other)]).toEqual([2, 7]);
    await endOne();
  }
  await offer(20);
  await dispatcher.tick();
  expect([held(bound), held(other)]).toEqual([2, 16]);
});

test("slots of an organization that waits for a max_concurrency of its agent go to the others", async () => {
  const bound = await organization(20, { ofAgent: 1 });
  const other = await organization(40);
  for (let i = 0; i < 5; i++) {
    await dispatcher.tick();
    expect([held(bound), held(other)]).toEqual([1, 8]);
    await endOne();
  }
});

test("sessions that wait for a max_concurrency of their agent do not close the direct path", async () => {
  const bound = await organization(20, { ofAgent: 1 });
  const other = await organization(0);
  await dispatcher.tick();
  expect(held(bound)).toBe(1);
  const admission = createAdmission(db, { workerSeenWithinMs, notifier });
  for (const id of [other, bound]) {
    await waitUntil(() => offer(10).then(() => admission.mayDispatch(id)), { what: "a slot past the dispatcher" });
  }
  // The session that may begin waits for the dispatcher, so nothing passes it.
  await endOne();
  await waitUntil(() => offer(10).then(() => !admission.mayDispatch(other)), { what: "the direct path to close" });
});

test("many waiting organizations are all found after a while, and a new one immediately", async () => {
  for (let i = 0; i < 20; i++) await organization(1);
  await offer(4);
  await dispatcher.tick();
  expect(inFlight).toHaveLength(4);
  const newcomer = await organization(1);
  notifier.notify("ready", newcomer);
  await waitUntil(
    async () => {
      while (inFlight.length > 0) await endOne();
      await offer(4);
      await dispatcher.tick();
      return held(newcomer) > 0;
    },
    { what: "the newcomer to be dispatched" },
  );
});

test("one organization alone has every slot", async () => {
  const only = await organization(20);
  await dispatcher.tick();
  expect(held(only)).toBe(10);
});

/** Returns the lanes of an organization's sessions that get one slot at a time, `turns` times. */
async function lanesOf(turns: number): Promise<Lane[]> {
  const lanes: Lane[] = [];
  for (let i = 0; i < turns; i++) {
    await offer(1);
    await dispatcher.tick();
    const [turn] = inFlight;
    const text = "select is_background from sessions where id = $1";
    const { rows } = await db.pool.query<{ is_background: boolean }>(text, [turn?.sessionId]);
    lanes.push(rows[0]?.is_background === true ? "background" : "interactive");
    await endOne();
  }
  return lanes;
}

test("an interactive message comes next, and background work has its share during a flood of them", async () => {
  const id = await organization(40, { lane: "background" });
  const { rows } = await db.pool.query<{ id: string }>("select id from agents where organization_id = $1", [id]);
  const message = async (): Promise<void> => send(id, await createTestSession(db, id, rows[0]!.id), "interactive");
  expect(await lanesOf(3)).toEqual(["background", "background", "background"]);
  await message();
  expect(await lanesOf(2)).toEqual(["interactive", "background"]);

  for (let i = 0; i < 30; i++) await message();
  const lanes = await lanesOf(4 * limits.backgroundOneIn);
  for (let i = 0; i < lanes.length; i += limits.backgroundOneIn) {
    const some = lanes.slice(i, i + limits.backgroundOneIn);
    expect(some.filter((lane) => lane === "background")).toHaveLength(1);
  }
});

test("a burst stays a queue of rows while few turns can start, and others do not wait for it", async () => {
  await offer(1_000, { startsMax: 2 });
  const burst = await organization(20);
  await dispatcher.tick();
  expect(inFlight).toHaveLength(2);
  await dispatcher.tick();
  expect(inFlight).toHaveLength(2);
  const other = await organization(3);
  await offer(1_000, { startsMax: 4 });
  await dispatcher.tick();
  expect(inFlight.map(({ organizationId }) => organizationId)).toEqual([burst, burst, other, burst]);
});

test("while a worker's processors are busy, an organization gets few turns, and others get theirs", async () => {
  await offer(6);
  const large = await organization(9);
  await dispatcher.tick();
  const before = held(large);
  expect(before).toBeGreaterThan(2);
  const other = await organization(5);
  await offer(100, { organizationMax: 2 });
  await dispatcher.tick();
  expect([held(large), held(other)]).toEqual([before, 2]);
  await offer(100);
  await dispatcher.tick();
  expect([held(large), held(other)]).toEqual([9, 5]);
});
