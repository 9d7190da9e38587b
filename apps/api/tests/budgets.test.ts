// Budgets that hold turns back instead of ending them, and the stop of all turns.

import { dispatch, turns } from "@dari/db";
import { resumeHeldSessions } from "@dari/control/tenants";
import { failure, newId, type DispatchedTurn } from "@dari/domain";
import { createTestAgent, createTestSession } from "@dari/testkit";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";

let api: TestApi;
let agentId: string;
beforeEach(async () => {
  api = await startTestApi();
  ({ agentId } = await createTestAgent(api.db, api.org.organizationId));
});
afterEach(async () => api[Symbol.asyncDispose]());

const path = "/v1/organizations/current/budgets";

async function put(body: object, key = api.org.apiKey, at = path): Promise<TestReply> {
  const reply = await api.call("PUT", at, { body, key });
  expect([reply.status, reply.text]).toEqual([200, expect.any(String)]);
  return reply;
}

function session(agent = agentId): Promise<string> {
  return createTestSession(api.db, api.org.organizationId, agent);
}

async function send(sessionId: string): Promise<string> {
  const body = { parts: [{ type: "text", text: "hello" }] };
  const reply = await api.call("POST", `/v1/sessions/${sessionId}/messages/async`, { body });
  expect(reply.status).toBe(202);
  return String(reply.json["id"]);
}

async function look(messageId: string): Promise<unknown[]> {
  const { json } = await api.call("GET", `/v1/messages/${messageId}`);
  return [json["status"], json["waiting_reason"]];
}

function dispatchAll(count = 10): Promise<DispatchedTurn[]> {
  return dispatch.dispatchIfReady(api.db, [{ organizationId: api.org.organizationId, count }], 60_000);
}

/** Runs a dispatched turn to its end, like a worker whose agent reported its usage. */
async function run(
  turn: DispatchedTurn,
  end: { usage?: Record<string, number>; seconds?: number } = {},
): Promise<void> {
  const claimant = { workerId: newId("worker"), leaseMs: 60_000, guarantees: {} };
  const claimed = await turns.claimIfDispatched(api.db, turn, newId("attempt"), claimant);
  if (claimed.outcome !== "claimed") throw new Error(`not claimed: ${claimed.outcome}`);
  await turns.markCalledIfHeld(api.db, claimed.turn, undefined);
  await api.db.pool.query(
    "update attempts set claimed_at = claimed_at - $2 * interval '1 second' where session_id = $1",
    [turn.sessionId, end.seconds ?? 0],
  );
  const { rows } = await api.db.pool.query("select head_snapshot_id as head from sessions where id = $1", [
    turn.sessionId,
  ]);
  const snapshot = {
    ...{ id: newId("snapshot"), parentId: (rows[0] as { head: string | null }).head, objectKey: null, isFull: false },
    ...{ deltaDepth: 0, treeHash: "0".repeat(64), sizeBytes: 0, files: 0, totalBytes: 0 },
  };
  const output = { parts: [], ...(end.usage === undefined ? {} : { usage: end.usage }) };
  await turns.finishIfHeld(api.db, claimed.turn, { ending: "completed", output, filesChanged: [], snapshot });
}

test("at the limit of turns messages wait, and a raised limit lets them run immediately", async () => {
  const made = await put({ period: "day", max_turns: 2 });
  expect(made.json).toMatchObject({ scope: "organization", set_by: "organization", turns: 0, is_exhausted: false });
  // One after the other, so that their order is known.
  const messages: string[] = [];
  while (messages.length < 4) messages.push(await send(await session()));
  const first = await dispatchAll();
  // Only as many run as there is room for.
  expect(first).toHaveLength(2);
  const waiting = messages.filter((id) => !first.some((turn) => turn.messageId === id));
  for (const id of waiting) expect(await look(id)).toEqual(["queued", "budget"]);
  for (const turn of first) await run(turn);
  expect((await api.call("GET", path)).json["budgets"]).toMatchObject([{ turns: 2, is_exhausted: true }]);
  expect(await dispatchAll()).toEqual([]);
  // Later messages wait from the start.
  const later = await send(await session());
  expect(await look(later)).toEqual(["queued", "budget"]);

  expect((await put({ period: "day", max_turns: 3 })).json["id"]).toBe(made.json["id"]);
  const next = await dispatchAll();
  expect(next.map((turn) => turn.messageId)).toEqual([waiting[0]]);
  await run(next[0]!);
  expect(await dispatchAll()).toEqual([]);
  expect((await api.call("DELETE", `${path}/${String(made.json["id"])}`)).status).toBe(200);
  expect((await dispatchAll()).map((turn) => turn.messageId)).toEqual([waiting[1], later]);
});

test("seconds and tokens are charged as they are reported, to each budget that applies to the turn", async () => {
  const sessionId = await session();
  await put({ period: "month", max_tokens: 1_000, agent_id: agentId });
  await put({ period: "total", max_turn_seconds: 100, session_id: sessionId });
  const { agentId: other } = await createTestAgent(api.db, api.org.organizationId);
  await put({ period: "month", max_tokens: 1, agent_id: other });
  await send(sessionId);
  await run((await dispatchAll())[0]!, { usage: { input_tokens: 300, output_tokens: 100 }, seconds: 30 });
  const of = async (target: string) => {
    const { data } = (await api.call("GET", path)).json as { data: Record<string, unknown>[] };
    return data.find((budget) => budget["target_id"] === target)!;
  };
  expect(await of(agentId)).toMatchObject({ scope: "agent", turns: 1, tokens: 400, is_exhausted: false });
  expect(await of(sessionId)).toMatchObject({ scope: "session", turns: 1, tokens: 400 });
  expect(Number((await of(sessionId))["turn_seconds"])).toBeGreaterThanOrEqual(30);
  expect(await of(other)).toMatchObject({ turns: 0, tokens: 0 });

  await send(sessionId);
  await run((await dispatchAll())[0]!, { usage: { total_tokens: 700 }, seconds: 1 });
  expect(await of(agentId)).toMatchObject({ tokens: 1_100, is_exhausted: true });
  const held = await send(await session());
  expect(await look(held)).toEqual(["queued", "budget"]);
  // Another agent has its own budget.
  await send(await session(other));
  expect(await dispatchAll()).toHaveLength(1);
});

test("a new day is a new period, which the clock finds", async () => {
  await put({ period: "day", max_turns: 1 });
  await send(await session());
  await run((await dispatchAll())[0]!);
  const held = await send(await session());
  expect(await resumeHeldSessions(api.control)).toBe(0);
  expect(await look(held)).toEqual(["queued", "budget"]);
  await api.db.pool.query("update budgets set period_started_at = period_started_at - interval '1 day'");
  expect(await resumeHeldSessions(api.control)).toBe(1);
  expect((await api.call("GET", path)).json["budgets"]).toMatchObject([{ turns: 0, is_exhausted: false }]);
  await run((await dispatchAll())[0]!);
  expect((await api.call("GET", path)).json["budgets"]).toMatchObject([{ turns: 1, is_exhausted: true }]);
});

test("the number of budgets is limited, separately from operators' budgets", async () => {
  const first = await put({ period: "day", max_turns: 1 });
  const { organizationId } = api.org;
  await api.db.pool.query(
    `insert into budgets (id, organization_id, scope, target_id, period, set_by, max_turns, period_started_at)
      select 'bdg_full_' || n, $1, 'session', 'sess_' || n, 'total', 'organization', 1, '-infinity'
      from generate_series(2, 1000) n`,
    [organizationId],
  );
  const refused = await api.call("PUT", path, { body: { period: "total", max_turns: 1 } });
  expect([refused.status, refused.json]).toEqual([
    409,
    expect.objectContaining({
      code: "conflict",
      detail: "limit reached: 1000 budgets per organization; delete one first",
    }),
  ]);
  expect((await put({ period: "day", max_turns: 2 })).status).toBe(200);
  const byOperator = await put(
    { period: "total", max_turns: 1 },
    api.operator.apiKey,
    `/v1/organizations/${organizationId}/budgets`,
  );
  expect(byOperator.json["set_by"]).toBe("operator");
  expect((await api.call("DELETE", `${path}/${String(first.json["id"])}`)).status).toBe(200);
  expect((await put({ period: "total", max_turns: 1 })).status).toBe(200);
});

test("what operators set, the organization does not change", async () => {
  const at = `/v1/organizations/${api.org.organizationId}/budgets`;
  const set = await put({ period: "total", max_turns: 0 }, api.operator.apiKey, at);
  expect(set.json["set_by"]).toBe("operator");
  const own = await put({ period: "total", max_turns: 100 });
  expect(own.json["id"]).not.toBe(set.json["id"]);
  const held = await send(await session());
  expect(await look(held)).toEqual(["queued", "budget"]);
  const refused = await api.call("DELETE", `${path}/${String(set.json["id"])}`);
  expect([refused.status, refused.json.code]).toEqual([403, "forbidden"]);
  expect((await api.call("DELETE", `${at}/${String(set.json["id"])}`, { key: api.operator.apiKey })).status).toBe(200);
  expect(await dispatchAll()).toHaveLength(1);
});

test("a retry that becomes due is held as well", async () => {
  await send(await session());
  const [turn] = await dispatchAll();
  const claimant = { workerId: newId("worker"), leaseMs: 60_000, guarantees: {} };
  const claimed = await turns.claimIfDispatched(api.db, turn!, newId("attempt"), claimant);
  if (claimed.outcome !== "claimed") throw new Error("not claimed");
  await turns.markCalledIfHeld(api.db, claimed.turn, undefined);
  await put({ period: "total", max_turns: 1 });
  const crash = failure("agent_error", "again");
  await turns.finishIfHeld(api.db, claimed.turn, { ending: "retry", failure: crash, waitMs: 0 });
  const again = await turns.claimDueRetry(api.db, turn!, newId("attempt"), claimant, "take");
  expect(again.outcome).toBe("yielded");
  expect(await dispatchAll()).toEqual([]);
  expect(await look(turn!.messageId)).toEqual(["queued", "budget"]);
});

test("while turns are stopped none begins; then all continue", async () => {
  const before = await send(await session());
  const stop = (method: string, body?: object) =>
    api.call(method, "/v1/operator/stop", { key: api.operator.apiKey, ...(body === undefined ? {} : { body }) });
  expect((await stop("GET")).json).toEqual({ stopped: false, reason: null, stopped_at: null });
  expect((await stop("PUT", { reason: "the model is down" })).json).toMatchObject({ stopped: true });
  expect(await dispatchAll()).toEqual([]);
  const after = await send(await session());
  for (const id of [before, after]) expect(await look(id)).toEqual(["queued", "paused"]);
  expect((await stop("DELETE")).status).toBe(200);
  expect((await stop("DELETE")).status).toBe(404);
  expect(await dispatchAll()).toHaveLength(2);
});
