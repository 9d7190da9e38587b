// Operators' price lists, and the costs that organizations see. Tests of all routes cover calls without a key and
// invalid bodies.

import { routes, validate, type UsageRecord } from "@dari/contract";
import { recordModelRequests, type ModelRequestRow } from "@dari/control/turns";
import { dispatch, type ClaimedTurn } from "@dari/db";
import { createTestAgent, createTestMessage, createTestSession } from "@dari/testkit";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import { claim, complete } from "./turn.ts";

let api: TestApi;
let agentId: string;
beforeEach(async () => {
  api = await startTestApi();
  ({ agentId } = await createTestAgent(api.db, api.org.organizationId));
});
afterEach(async () => api[Symbol.asyncDispose]());

const gpt5 = {
  host: "api.openai.com",
  model: "gpt-5*",
  usd_per_million_tokens: { input: 1.25, cached_input: 0.125, output: 10 },
};
const put = (body: unknown, key = api.operator.apiKey) => api.call("PUT", "/v1/operator/prices", { key, body });
const get = (query = "", key = api.operator.apiKey) => api.call("GET", `/v1/operator/prices${query}`, { key });

const row = (ordinal: number, changed: Partial<ModelRequestRow> = {}): ModelRequestRow => ({
  ...{ ordinal, requests: 1, host: "api.openai.com", format: "openai-responses", model: "gpt-5-2025-08-07" },
  ...{ status: 200, input: 2_000, cachedInput: 1_000, cacheWrite: null, output: 100, reasoning: 40 },
  ...{ finishReason: "stop", durationMs: 1, isComplete: true, unread: null, isRecorded: false },
  ...changed,
});
const noTokens = { input: null, cachedInput: null, output: null, reasoning: null };

async function run(rows: readonly ModelRequestRow[]): Promise<ClaimedTurn> {
  const { organizationId } = api.org;
  await createTestMessage(api.db, organizationId, await createTestSession(api.db, organizationId, agentId));
  await dispatch.dispatchIfReady(api.db, [{ organizationId, count: 1 }], 60_000);
  const turn = await claim(api);
  await recordModelRequests(api.db, turn, rows);
  await complete(api, turn);
  return turn;
}

async function usageOf(key: string): Promise<UsageRecord> {
  const reply = await api.call("GET", "/v1/organizations/current/usage", { key });
  expect([reply.status, validate(routes.getUsage.reply, reply.json)]).toEqual([200, []]);
  return reply.json as unknown as UsageRecord;
}

test("operators import and see price lists; other keys do neither", async () => {
  expect((await get()).json).toEqual({ valid_from: null, prices: [], lists: [] });
  const list = { valid_from: "2026-01-01", prices: [gpt5] };
  for (const key of [api.org.apiKey, api.stranger.apiKey]) {
    const refused = [await put(list, key), await get("", key)];
    expect(refused.map(({ status, json }) => [status, json.code])).toEqual([
      [403, "forbidden"],
      [403, "forbidden"],
    ]);
  }
  const first = await put(list);
  expect([first.status, validate(routes.putPriceList.reply, first.json)]).toEqual([200, []]);
  expect(first.json).toEqual({ valid_from: "2026-01-01", prices: 1, replaced: 0, missing: [], in_force: "2026-01-01" });
  expect((await put(list)).json).toMatchObject({ prices: 1, replaced: 1 });
  const shown = await get();
  expect([shown.status, validate(routes.getPriceList.reply, shown.json)]).toEqual([200, []]);
  expect(shown.json).toEqual({ ...list, lists: [{ valid_from: "2026-01-01", prices: 1, is_in_force: true }] });
  expect((await get("?valid_from=2026-01-01")).json).toEqual(shown.json);
  expect((await get("?valid_from=2026-01-02")).status).toBe(404);
  for (const query of ["?valid_from=today", "?valid_from=2026-02-30", "?valid_from="]) {
    expect([query, (await get(query)).status]).toEqual([query, 422]);
  }
  const removed = await put({ valid_from: "2026-01-01", prices: [] });
  expect(removed.json).toEqual({ valid_from: "2026-01-01", prices: 0, replaced: 1, missing: [], in_force: null });
  const log = await api.call("GET", "/v1/organizations/current/audit-log", { key: api.operator.apiKey });
  const [entry] = log.json.data as object[];
  expect(entry).toMatchObject({ action: "prices.put", target: "2026-01-01", details: { prices: 0, replaced: 1 } });
});

test("amounts are stored exactly", async () => {
  const usd_per_million_tokens = { input: 0.1, cached_input: 0.000001, cache_write: 999_999.999999, output: 1.005 };
  const price = { host: "*", model: "*", usd_per_million_tokens };
  expect((await put({ valid_from: "2026-01-01", prices: [price] })).status).toBe(200);
  expect((await get()).json).toMatchObject({ prices: [price] });
});

test("requests have a cost, or the reason why not", async () => {
  await put({ valid_from: "2026-01-01", prices: [gpt5] });
  const rest = { requests: 9, host: null, format: null, model: null, status: null, finishReason: null };
  const { messageId } = await run([
    row(1),
    row(2, { model: "o3" }),
    row(3, noTokens),
    row(4, { ...noTokens, status: 429, model: null }),
    row(5, rest),
  ]);
  const reply = await api.call("GET", `/v1/messages/${messageId}/model-requests`);
  expect(validate(routes.listModelRequests.reply, reply.json)).toEqual([]);
  const requests = reply.json.data as { cost_microusd: number | null; unpriced: string | null }[];
  expect(requests.map(({ cost_microusd, unpriced }) => [cost_microusd, unpriced])).toEqual([
    [2_375, null],
    [null, "no_price"],
    [null, "no_tokens"],
    [0, null],
    [null, "sum"],
  ]);
});

test("usage has the metered requests beside what SDKs report, for the own organization only", async () => {
  await put({ valid_from: "2026-01-01", prices: [gpt5] });
  const turn = await run([row(1), row(2)]);
  await run([row(1, { model: "o3" })]);
  await run([]);
  const metered = { metered_requests: 3, metered_tokens: 6_300, metered_cost_microusd: 4_750, unpriced_requests: 1 };
  const used = await usageOf(api.org.apiKey);
  expect(used.days).toMatchObject([{ messages: 3, tokens: 0, ...metered }]);
  expect(used.agents).toMatchObject([{ agent_id: agentId, ...metered }]);
  const ofAgent = await api.call("GET", `/v1/agents/${agentId}/usage`);
  expect(ofAgent.json).toMatchObject({ ...metered, days: [metered] });
  const cost = await api.call("GET", `/v1/costs/sessions/${turn.sessionId}`);
  expect(validate(routes.getSessionCost.reply, cost.json)).toEqual([]);
  expect(cost.json).toMatchObject({ total_cost_usd: "0.004750", metered_requests: 2, unpriced_requests: 0 });
  expect((await usageOf(api.stranger.apiKey)).days).toEqual([]);
});

test("a session with a request without a cost has no total", async () => {
  await put({ valid_from: "2026-01-01", prices: [gpt5] });
  const { sessionId } = await run([row(1), row(2, { model: "o3" })]);
  const cost = await api.call("GET", `/v1/costs/sessions/${sessionId}`);
  expect(cost.json).toMatchObject({ total_cost_usd: null, metered_cost_microusd: 2_375, unpriced_requests: 1 });
});

test("an import of a further date is refused at the limit", async () => {
  await api.db.pool.query(`insert into model_prices (valid_from, host, model, input_price, output_price)
    select date '2020-01-01' + n, '*', '*', 1, 1 from generate_series(1, 200) n`);
  const refused = await put({ valid_from: "2026-01-01", prices: [gpt5] });
  expect([refused.status, refused.json.code]).toEqual([409, "conflict"]);
  expect(refused.json.detail).toContain("limit reached: 200 price lists");
  const log = await api.call("GET", "/v1/organizations/current/audit-log", { key: api.operator.apiKey });
  expect((log.json.data as { action: string }[]).map(({ action }) => action)).not.toContain("prices.put");
});
