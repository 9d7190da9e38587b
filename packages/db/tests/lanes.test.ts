// The order within one organization: lanes, and the max_concurrency of agents and batches with concurrent programs.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { newId, type Lane } from "@dari/domain";
import {
  createTestAgent,
  createTestDatabase,
  createTestOrganization,
  createTestSession,
  createTestVersion,
  testManifest,
  type TestDatabase,
} from "@dari/testkit";
import {
  agents,
  withinTransaction,
  dispatch,
  findViolations,
  health,
  sessionBatches,
  turns,
  withTransaction,
  type Database,
} from "../src/index.ts";

let database: TestDatabase;
let db: Database;
let organizationId: string;
let agentId: string;
beforeEach(async () => {
  database = await createTestDatabase();
  db = database.db;
  ({ organizationId } = await createTestOrganization(db));
  ({ agentId } = await createTestAgent(db, organizationId));
});
afterEach(() => database.close());

const claimant = { workerId: "w", leaseMs: 60_000, guarantees: {} };

/** Sends a message to a new session, or to the given one. Returns the session's id. */
async function send(lane: Lane, options: { sessionId?: string; ofAgent?: string; dispatchTtlMs?: number } = {}) {
  const sessionId = options.sessionId ?? (await createTestSession(db, organizationId, options.ofAgent ?? agentId));
  const accepted = await turns.acceptMessage(db, {
    ...{ organizationId, sessionId, messageId: newId("message"), parts: [], metadata: {}, attachments: [] },
    ...{ lane, dispatchTtlMs: options.dispatchTtlMs },
  });
  expect(accepted.outcome).toBe("accepted");
  return { sessionId, schedule: accepted.schedule };
}

async function batch(sessions: number, maxConcurrency: number | null = null, ofAgent = agentId): Promise<string> {
  const id = newId("sessionBatch");
  const items = Array.from({ length: sessions }, () => ({
    ...{
      sessionId: newId("session"),
      messageId: newId("message"),
      name: null,
      metadata: {},
      parts: [],
      attachments: [],
    },
  }));
  const inserted = await sessionBatches.insertBatch(db, {
    ...{ id, organizationId, agentId: ofAgent, versionId: undefined, name: null, metadata: {}, onBusy: "enqueue" },
    ...{ isBackground: true, maxConcurrency, items },
  });
  expect(inserted).toEqual({ outcome: "created" });
  return id;
}

function give(count: number, background = 0) {
  return dispatch.dispatchIfReady(db, [{ organizationId, count, background }], 60_000);
}

async function cappedAgent(maxConcurrency: number): Promise<string> {
  const manifest = { ...testManifest, runtime: { ...testManifest.runtime, max_concurrency: maxConcurrency } };
  return (await createTestAgent(db, organizationId, { manifest })).agentId;
}

async function inFlightOf(column: "agent_id" | "batch_id", id: string): Promise<number> {
  const { rows } = await db.pool.query<{ n: number }>(
    `select count(*)::int as n from sessions where schedule in ('dispatched', 'leased') and ${column} = $1`,
    [id],
  );
  return rows[0]?.n ?? 0;
}

test("an interactive message is dispatched next, whatever background work waits before it", async () => {
  await batch(100);
  await send("background");
  const { sessionId } = await send("interactive");
  expect(await give(1)).toMatchObject([{ sessionId, isBackground: false }]);
  expect(await give(2)).toMatchObject([{ isBackground: true }, { isBackground: true }]);
});

test("background work gets the slots that are due to it first, and those that no interactive work needs", async () => {
  await batch(3);
  for (let i = 0; i < 5; i++) await send("interactive");
  const lanes = async (count: number, background: number) =>
    (await give(count, background)).map(({ isBackground }) => (isBackground ? "b" : "i")).join("");
  expect(await lanes(3, 1)).toBe("bii");
  expect(await lanes(5, 0)).toBe("iiibb");
});

test("an interactive message moves its session to its lane until the session is idle", async () => {
  await batch(10);
  const { sessionId } = await send("background");
  await send("interactive", { sessionId });
  expect(await give(1)).toMatchObject([{ sessionId, isBackground: false }]);
  const rows = "select array_agg(is_background order by sequence_number) as lanes from messages where session_id = $1";
  expect((await db.pool.query(rows, [sessionId])).rows).toEqual([{ lanes: [true, false] }]);
});

test("the active version limits the concurrent turns of its agent, for all its sessions", async () => {
  const capped = await cappedAgent(2);
  for (let i = 0; i < 5; i++) await send("interactive", { ofAgent: capped });
  expect(await give(10)).toHaveLength(2);
  const { versionId } = await createTestVersion(db, organizationId, capped);
  expect(await give(10)).toHaveLength(3);
  for (let i = 0; i < 5; i++) await send("interactive", { ofAgent: capped });
  const { rows } = await db.pool.query<{ id: string }>("select id from versions where agent_id = $1 and id <> $2", [
    capped,
    versionId,
  ]);
  await agents.activateVersionIfReady(db, organizationId, capped, rows[0]!.id);
  expect(await give(10)).toHaveLength(0);
});

test("a message of an agent with a max_concurrency waits for the dispatcher", async () => {
  const capped = await cappedAgent(1);
  expect(await send("interactive", { ofAgent: capped, dispatchTtlMs: 60_000 })).toMatchObject({ schedule: "ready" });
  expect(await send("interactive", { dispatchTtlMs: 60_000 })).toMatchObject({ schedule: "dispatched" });
});

test("a due retry continues in its own job only if no max_concurrency counts it", async () => {
  const capped = await cappedAgent(1);
  for (const [ofAgent, outcome] of [
    [agentId, "claimed"],
    [capped, "yielded"],
  ] as const) {
    const { sessionId } = await send("interactive", { ofAgent });
    const [turn] = await give(1);
    const claimed = await turns.claimIfDispatched(db, turn!, newId("attempt"), claimant);
    if (claimed.outcome !== "claimed") throw new Error(claimed.outcome);
    await turns.markCalledIfHeld(db, claimed.turn);
    const failure = { code: "agent_error", message: "again" } as const;
    await turns.finishIfHeld(db, claimed.turn, { ending: "retry", failure, waitMs: 0 });
    const due = await turns.claimDueRetry(db, { sessionId, dispatchNumber: 1 }, newId("attempt"), claimant, "take");
    expect(due.outcome).toBe(outcome);
  }
});

test("sessions that wait for a full max_concurrency delay nothing else, and are skipped in one read", async () => {
  const capped = await cappedAgent(1);
  for (let i = 0; i < 3; i++) await batch(100, null, capped);
  await batch(100, 1);
  expect(await give(4)).toHaveLength(2);
  const { sessionId } = await send("background");
  const given = [...(await give(1)), ...(await give(1))];
  expect(given).toMatchObject([{ sessionId }]);
  const { rows } = await db.pool.query<{ n: number }>(
    "select count(*)::int as n from sessions where schedule = 'ready' and limit_group = 0",
  );
  expect(rows).toEqual([{ n: 0 }]);
});

test("a batch waits for a slot until its max_concurrency is reached", async () => {
  await batch(3, 2);
  for (const waits of [true, true, false]) {
    expect((await health.getQueueWait(db)).oldestMs !== null).toBe(waits);
    await give(1);
  }
});

test("two concurrent dispatches begin no more turns than a max_concurrency allows", async () => {
  const capped = await batch(5, 2);
  const share = { organizationId, count: 1 };
  await withTransaction(db, async (tx) => {
    expect(await dispatch.dispatchIfReady(withinTransaction(db, tx), [share], 60_000)).toHaveLength(1);
    expect(await give(2)).toEqual([]);
  });
  expect(await give(2)).toHaveLength(1);
  expect(await inFlightOf("batch_id", capped)).toBe(2);
});

/** Runs turns that end at once, with programs that dispatch, pull and claim concurrently. Returns the most at once. */
async function drain(column: "agent_id" | "batch_id", id: string, total: number): Promise<number> {
  let ended = 0;
  let most = 0;
  const look = async (): Promise<void> => void (most = Math.max(most, await inFlightOf(column, id)));
  const end = async (): Promise<void> => {
    const turn = await turns.claimNextIfAny(db, newId("attempt"), claimant);
    if (turn === undefined) return;
    await look();
    const failure = { code: "agent_error", message: "ends at once" } as const;
    await turns.finishIfHeld(db, turn, { ending: "failed", failure });
    ended += 1;
  };
  const program = async (): Promise<void> => {
    while (ended < total) {
      await give(2, 1);
      await look();
      await end();
    }
  };
  await Promise.all(Array.from({ length: 6 }, program));
  return most;
}

test("a batch's max_concurrency is reached and never exceeded by concurrent dispatchers", async () => {
  const capped = await batch(40, 3);
  for (let i = 0; i < 10; i++) await send("interactive");
  expect(await drain("batch_id", capped, 50)).toBe(3);
  expect(await findViolations(db)).toEqual([]);
}, 60_000);

test("an agent's max_concurrency is reached and never exceeded, over its batches and its messages", async () => {
  const capped = await cappedAgent(3);
  await batch(20, 2, capped);
  await batch(20, null, capped);
  for (let i = 0; i < 10; i++) await send("interactive", { ofAgent: capped });
  expect(await drain("agent_id", capped, 50)).toBe(3);
  expect(await findViolations(db)).toEqual([]);
}, 60_000);

test("more limits than one read covers are all reached", async () => {
  const total = 130;
  for (let i = 0; i < total; i++) await batch(1, 1);
  let given = 0;
  for (let i = 0; i < total && given < total; i++) given += (await give(50)).length;
  expect(given).toBe(total);
});
