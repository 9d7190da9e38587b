// What an organization has used and stores, and the fleet for operators.

import { routes, validate, type FleetRecord, type UsageRecord } from "@dari/contract";
import { dispatch, turns, workers, type ClaimedTurn } from "@dari/db";
import { failure, newId } from "@dari/domain";
import { createTestAgent, createTestFile, createTestSession, testWorker } from "@dari/testkit";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import { claim, complete, finish } from "./turn.ts";

let api: TestApi;
let agentId: string;
beforeEach(async () => {
  api = await startTestApi();
  ({ agentId } = await createTestAgent(api.db, api.org.organizationId));
});
afterEach(async () => api[Symbol.asyncDispose]());

const today = (): string => new Date().toISOString().slice(0, 10);

async function send(agent = agentId): Promise<{ sessionId: string; messageId: string }> {
  const sessionId = await createTestSession(api.db, api.org.organizationId, agent);
  const body = { parts: [{ type: "text", text: "hello" }] };
  const reply = await api.call("POST", `/v1/sessions/${sessionId}/messages/async`, { body });
  expect(reply.status).toBe(202);
  return { sessionId, messageId: String(reply.json["id"]) };
}

/** Sends a message whose turn starts this many seconds in the past. */
async function begin(seconds: number, agent = agentId): Promise<ClaimedTurn> {
  await send(agent);
  await dispatch.dispatchIfReady(api.db, [{ organizationId: api.org.organizationId, count: 1 }], 60_000);
  const turn = await claim(api);
  await api.db.pool.query(
    "update attempts set claimed_at = claimed_at - $2 * interval '1 second' where session_id = $1",
    [turn.sessionId, seconds],
  );
  return turn;
}

async function endWith(turn: ClaimedTurn, usage: Record<string, number>): Promise<void> {
  const snapshot = {
    ...{ id: newId("snapshot"), parentId: null, objectKey: null, isFull: false, deltaDepth: 0 },
    ...{ treeHash: "0".repeat(64), sizeBytes: 0, files: 0, totalBytes: 0 },
  };
  await finish(api, turn, { ending: "completed", output: { parts: [], usage }, filesChanged: [], snapshot });
}

async function look(query = "", key = api.org.apiKey, id = "current"): Promise<UsageRecord> {
  const reply = await api.call("GET", `/v1/organizations/${id}/usage${query}`, { key });
  expect([reply.status, validate(routes.getUsage.reply, reply.json)]).toEqual([200, []]);
  return reply.json as unknown as UsageRecord;
}

async function watchFleet(): Promise<FleetRecord> {
  const reply = await api.call("GET", "/v1/operator/fleet", { key: api.operator.apiKey });
  expect([reply.status, validate(routes.getFleet.reply, reply.json)]).toEqual([200, []]);
  return reply.json as unknown as FleetRecord;
}

test("an organization that did nothing has used nothing", async () => {
  const used = await look();
  expect(used).toMatchObject({ days: [], agents: [], is_cut: false, held_sessions: [] });
  expect(used.now).toEqual({ open_messages: 0, turns: 0 });
  const week = Date.parse(today()) - Date.parse(used.since);
  expect(week).toBe(6 * 86_400_000);
});

test("turns count on the day and for the agent of their message, with seconds and tokens", async () => {
  const other = await createTestAgent(api.db, api.org.organizationId);
  await endWith(await begin(10), { input_tokens: 30, output_tokens: 12 });
  await endWith(await begin(20, other.agentId), { total_tokens: 100 });
  const failing = await begin(5);
  await finish(api, failing, { ending: "failed", failure: failure("agent_error", "no") });
  await send();
  const used = await look();
  const [day] = used.days;
  expect(used.days).toHaveLength(1);
  expect(day).toMatchObject({ date: today(), messages: 4, failed: 1, turns: 3, tokens: 142 });
  expect(day?.turn_seconds).toBeCloseTo(35, 0);
  expect(used.agents).toMatchObject([
    { agent_id: other.agentId, messages: 1, failed: 0, turns: 1, tokens: 100 },
    { agent_id: agentId, messages: 3, failed: 1, turns: 2, tokens: 42 },
  ]);
  expect(used.now).toEqual({ open_messages: 1, turns: 0 });
});

test("older days are left out, and can be requested by number", async () => {
  await endWith(await begin(1), { total_tokens: 7 });
  await api.db.pool.query("update messages set created_at = created_at - interval '3 days'");
  expect((await look("?days=1")).days).toEqual([]);
  const [day] = (await look("?days=4")).days;
  expect(day).toMatchObject({ tokens: 7, date: new Date(Date.now() - 3 * 86_400_000).toISOString().slice(0, 10) });
  for (const days of ["0", "32", "many", "1.5"]) {
    const refused = await api.call("GET", `/v1/organizations/current/usage?days=${days}`);
    expect([refused.status, refused.json.code]).toEqual([422, "invalid"]);
  }
});

test("a fork's copies cost nothing", async () => {
  const turn = await begin(1);
  await complete(api, turn);
  const before = await look();
  const forked = await api.call("POST", `/v1/sessions/${turn.sessionId}/fork`, { body: {} });
  expect(forked.status).toBe(201);
  expect((await look()).days).toEqual(before.days);
});

test("stored amounts are shown with their limits, to the organization and to operators only", async () => {
  await createTestFile(api.db, api.org.organizationId);
  const at = `/v1/organizations/${api.org.organizationId}`;
  await api.call("PATCH", at, { key: api.operator.apiKey, body: { max_files: 5, max_storage_bytes: 1_000_000 } });
  const { kept } = await look();
  expect(kept.files).toEqual({ kept: 1, max: 5 });
  expect(kept.storage_bytes).toEqual({ kept: expect.any(Number), max: 1_000_000 });
  expect(kept.storage_bytes.kept).toBeGreaterThan(0);
  expect(kept.agents).toEqual({ kept: 1, max: null });
  expect((await look("", api.operator.apiKey, api.org.organizationId)).kept).toEqual(kept);
  expect((await api.call("GET", `${at}/usage`, { key: api.stranger.apiKey })).status).toBe(404);
  expect((await look("", api.stranger.apiKey)).kept.files.kept).toBe(0);
});

test("sessions that a budget or operators hold back are listed", async () => {
  await api.call("PUT", "/v1/organizations/current/budgets", { body: { period: "day", max_turns: 0 } });
  const held = await send();
  expect((await look()).held_sessions).toMatchObject([
    { session_id: held.sessionId, agent_id: agentId, reason: "budget", since: expect.stringContaining(today()) },
  ]);
});

test("the fleet shows waiting organizations, running turns, and the workers with their memory", async () => {
  const memory = { availableBytes: 3_000, neededBytes: 1_000 };
  const worker = testWorker({ id: "wrk_test" }, { memory });
  await workers.upsertWorkerSeen(api.db, worker);
  const running = await begin(30);
  const waiting = await send();
  await api.db.pool.query("update sessions set ready_at = ready_at - interval '1 minute' where id = $1", [
    waiting.sessionId,
  ]);
  const fleet = await watchFleet();
  expect(fleet.schedule).toEqual({ ready: 1, dispatched: 0, leased: 1, retry_wait: 0, blocked: 0 });
  expect(fleet.organizations).toMatchObject([{ organization_id: api.org.organizationId, ready: 1, in_flight: 1 }]);
  expect(fleet.organizations[0]?.oldest_ready_ms).toBeGreaterThanOrEqual(60_000);
  expect(fleet.turns).toMatchObject([
    { session_id: running.sessionId, message_id: running.messageId, state: "leased", attempt: 1, worker_id: worker.id },
  ]);
  expect(fleet.turns[0]?.running_ms).toBeGreaterThanOrEqual(30_000);
  expect(fleet.turns[0]?.lease_left_ms).toBeLessThanOrEqual(60_000);
  const { id, pool, slots, draining } = worker;
  expect(fleet.workers).toMatchObject([
    {
      ...{ id, pool, slots, draining },
      in_use: 1,
      sandbox: "bwrap",
      memory_available_bytes: 3_000,
      memory_needed_bytes: 1_000,
    },
  ]);
  await turns.cancelMessageOf(api.db, api.org.organizationId, waiting.messageId);
  expect((await watchFleet()).organizations).toMatchObject([{ ready: 0, oldest_ready_ms: null, in_flight: 1 }]);
  await finish(api, running, { ending: "failed", failure: failure("agent_error", "no") });
  expect(await watchFleet()).toMatchObject({ organizations: [], turns: [], workers: [{ in_use: 0 }] });
});

test("the fleet is for operators", async () => {
  for (const key of [api.org.apiKey, api.stranger.apiKey]) {
    const refused = await api.call("GET", "/v1/operator/fleet", { key });
    expect([refused.status, refused.json.code]).toEqual([403, "forbidden"]);
  }
});
