// Due retries take slots like everything else: within limits, in order, however many are due at once.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { dispatch, findViolations, turns, workers, type Claimant, type Database } from "@dari/db";
import { newId } from "@dari/domain";
import {
  createTestAgent,
  createTestDatabase,
  createTestOrganization,
  createTestSession,
  testManifest,
  testWorker,
} from "@dari/testkit";
import { claimTurn, pullTurn } from "./claim-turn.ts";

let stack: AsyncDisposableStack;
let db: Database;
const claimant: Claimant = { workerId: "wrk_test", leaseMs: 60_000, guarantees: {} };
const agentError = { code: "agent_error", message: "it threw" } as const;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  const database = await createTestDatabase();
  stack.defer(() => database.close());
  db = database.db;
  await workers.upsertWorkerSeen(db, testWorker({ id: "wrk_test", slots: 10 }));
});
afterEach(async () => {
  expect(await findViolations(db)).toEqual([]);
  await stack.disposeAsync();
});

interface Place {
  readonly organizationId: string;
  readonly agentId: string;
}

async function organization(maxConcurrency: number | null = null, ofAgent?: number): Promise<Place> {
  const { organizationId } = await createTestOrganization(db);
  const runtime = { ...testManifest.runtime, ...(ofAgent !== undefined && { max_concurrency: ofAgent }) };
  const { agentId } = await createTestAgent(db, organizationId, { manifest: { ...testManifest, runtime } });
  await db.pool.query("update organizations set max_concurrency = $2 where id = $1", [organizationId, maxConcurrency]);
  return { organizationId, agentId };
}

/** Creates a session with one waiting message. */
async function waiting({ organizationId, agentId }: Place): Promise<string> {
  const sessionId = await createTestSession(db, organizationId, agentId);
  const message = { organizationId, sessionId, messageId: newId("message"), parts: [], metadata: {}, attachments: [] };
  await turns.acceptMessage(db, { ...message, dispatchTtlMs: undefined });
  return sessionId;
}

async function running(place: Place): Promise<void> {
  const sessionId = await waiting(place);
  const claim = await claimTurn(db, await dispatched(place, sessionId), claimant);
  expect(claim.outcome).toBe("claimed");
}

async function dispatched(place: Place, sessionId: string): Promise<{ sessionId: string; dispatchNumber: number }> {
  const moved = await dispatch.dispatchIfReady(db, [{ organizationId: place.organizationId, count: 1 }], 60_000);
  const turn = moved.find((one) => one.sessionId === sessionId);
  if (turn === undefined) throw new Error("the session was not ready");
  return turn;
}

/** Returns its job, once the session waits for a due retry. */
async function due(place: Place): Promise<{ sessionId: string; dispatchNumber: number }> {
  const job = await dispatched(place, await waiting(place));
  const claim = await claimTurn(db, job, claimant);
  if (claim.outcome !== "claimed") throw new Error(`not claimed: ${claim.outcome}`);
  await turns.markCalledIfHeld(db, claim.turn);
  await turns.finishIfHeld(db, claim.turn, { ending: "retry", failure: agentError, waitMs: 0 });
  return job;
}

async function scheduleOf(sessionId: string): Promise<string> {
  const { rows } = await db.pool.query<{ schedule: string }>("select schedule from sessions where id = $1", [
    sessionId,
  ]);
  return rows[0]?.schedule ?? "missing";
}

test("continues in its own job while no organization waits", async () => {
  const place = await organization();
  const job = await due(place);
  expect(await claimTurn(db, job, claimant)).toMatchObject({ outcome: "claimed", turn: { attemptNumber: 2 } });
});

test("of an organization at its cap is ready again, and its job is over", async () => {
  const place = await organization(1);
  const job = await due(place);
  await running(place);
  expect(await claimTurn(db, job, claimant)).toEqual({ outcome: "stale" });
  expect(await scheduleOf(job.sessionId)).toBe("ready");
  expect(await claimTurn(db, job, claimant)).toEqual({ outcome: "stale" });
});

test("does not take the slots that are reserved for organizations that hold none", async () => {
  const [place, other] = [await organization(), await organization()];
  const job = await due(place);
  for (let i = 0; i < 8; i++) await running(other);
  await running(place);
  expect(await claimTurn(db, job, claimant)).toEqual({ outcome: "stale" });
});

test("does not pass others that wait", async () => {
  const place = await organization();
  const job = await due(place);
  await waiting(await organization());
  expect(await claimTurn(db, job, claimant)).toEqual({ outcome: "stale" });
  expect(await scheduleOf(job.sessionId)).toBe("ready");
});

test("continues while another organization only waits for its own max_concurrency", async () => {
  const other = await organization(1);
  await running(other);
  await waiting(other);
  const job = await due(await organization());
  expect(await claimTurn(db, job, claimant)).toMatchObject({ outcome: "claimed" });
});

test("continues while another organization only waits for the max_concurrency of its agent", async () => {
  const other = await organization(null, 1);
  await running(other);
  const sessionId = await waiting(other);
  expect(await dispatch.dispatchIfReady(db, [{ organizationId: other.organizationId, count: 1 }], 60_000)).toEqual([]);
  const job = await due(await organization());
  expect(await claimTurn(db, job, claimant)).toMatchObject({ outcome: "claimed" });
  expect(await scheduleOf(sessionId)).toBe("ready");
});

test("forty retries that are due together stay within the limit", async () => {
  const place = await organization(3);
  const jobs: { sessionId: string; dispatchNumber: number }[] = [];
  for (let i = 0; i < 40; i++) jobs.push(await due(place));
  const claims = await Promise.all(jobs.map((job) => claimTurn(db, job, claimant)));
  const claimed = claims.filter((claim) => claim.outcome === "claimed").length;
  expect(claimed).toBeGreaterThan(0);
  expect(claimed).toBeLessThanOrEqual(3);
  const { rows } = await db.pool.query<{ n: number }>(
    "select count(*)::int as n from sessions where schedule = 'ready'",
  );
  expect(rows[0]?.n).toBe(40 - claimed);
});

test("a decision in progress makes others yield, not wait", async () => {
  const place = await organization();
  const job = await due(place);
  const other = await db.pool.connect();
  try {
    await other.query("begin");
    await other.query("select may_pass_dispatcher()");
    expect(await claimTurn(db, job, claimant)).toEqual({ outcome: "stale" });
    await other.query("commit");
  } finally {
    other.release();
  }
  expect(await scheduleOf(job.sessionId)).toBe("ready");
});

test("direct pull makes due retries ready and gives them slots like all others", async () => {
  const place = await organization(1);
  const jobs = [await due(place), await due(place)];
  const first = await pullTurn(db, claimant);
  expect(first?.attemptNumber).toBe(2);
  expect(await pullTurn(db, claimant)).toBeUndefined();
  expect((await Promise.all(jobs.map((job) => scheduleOf(job.sessionId)))).sort()).toEqual(["leased", "ready"]);
});
