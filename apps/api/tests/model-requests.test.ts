// The requests to models of a message, as the API lists them. Tests of all routes cover calls without a key and calls
// for another organization.

import { routes, validate } from "@dari/contract";
import { recordModelRequests, type ModelRequestRow } from "@dari/control/turns";
import { dispatch, type ClaimedTurn } from "@dari/db";
import { failure } from "@dari/domain";
import { createTestAgent, createTestMessage, createTestSession } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import { claim, complete, finish } from "./turn.ts";

let api: TestApi;
let agentId: string;
beforeAll(async () => {
  api = await startTestApi();
  ({ agentId } = await createTestAgent(api.db, api.org.organizationId));
});
afterAll(async () => api[Symbol.asyncDispose]());

async function begin(): Promise<ClaimedTurn> {
  const { organizationId } = api.org;
  await createTestMessage(api.db, organizationId, await createTestSession(api.db, organizationId, agentId));
  return claim(api);
}

const row = (ordinal: number, changed: Partial<ModelRequestRow> = {}): ModelRequestRow => ({
  ordinal,
  requests: 1,
  host: "api.anthropic.com",
  format: "anthropic-messages",
  model: "claude-opus-4-1-20250805",
  status: 200,
  input: 2_520,
  cachedInput: 1_800,
  cacheWrite: 248,
  output: 89,
  reasoning: null,
  finishReason: "end_turn",
  durationMs: 1_200,
  isComplete: true,
  unread: null,
  isRecorded: false,
  ...changed,
});
const list = (messageId: string, query = "") => api.call("GET", `/v1/messages/${messageId}/model-requests${query}`);

test("requests are listed attempt by attempt, in pages, with their tokens", async () => {
  const first = await begin();
  expect(await recordModelRequests(api.db, first, [row(2, { unread: "encoding", isComplete: false }), row(1)])).toBe(
    true,
  );
  await finish(api, first, { ending: "retry", failure: failure("agent_error", "it threw"), waitMs: 0 });
  await dispatch.reapExpired(api.db, { limit: 100, graceMs: 0, overdueMs: 0, uncountedClaimsMax: 2 });
  await dispatch.dispatchIfReady(api.db, [{ organizationId: api.org.organizationId, count: 1 }], 60_000);
  const second = await claim(api);
  const rest = { requests: 99_000, host: null, format: null, model: null, status: null, finishReason: null };
  await recordModelRequests(api.db, second, [row(1, { isRecorded: true }), row(2, rest)]);
  // A repeated statement replaces its rows.
  await recordModelRequests(api.db, second, [row(2, { ...rest, requests: 99_001, output: 90 })]);
  const { messageId } = second;

  const whole = await list(messageId);
  expect(validate(routes.listModelRequests.reply, whole.json)).toEqual([]);
  const data = whole.json.data as Record<string, unknown>[];
  expect(data.map(({ attempt_id, ordinal }) => [attempt_id, ordinal])).toEqual([
    [first.attemptId, 1],
    [first.attemptId, 2],
    [second.attemptId, 1],
    [second.attemptId, 2],
  ]);
  expect(data[0]).toMatchObject({ input_tokens: 2_520, cached_input_tokens: 1_800, cache_write_tokens: 248 });
  expect(data[0]).toMatchObject({ output_tokens: 89, reasoning_tokens: null, requests: 1, is_complete: true });
  expect(data[1]).toMatchObject({ unread: "encoding", is_complete: false });
  expect(data.map(({ is_recorded }) => is_recorded)).toEqual([false, false, true, false]);
  expect(data[3]).toMatchObject({ requests: 99_001, host: null, format: null, output_tokens: 90 });

  const page = await list(messageId, "?limit=3");
  expect(page.json).toMatchObject({ has_more: true, data: data.slice(0, 3) });
  const next = await list(messageId, `?limit=3&after=${String(page.json["next"])}`);
  expect(next.json).toMatchObject({ has_more: false, next: null, data: data.slice(3) });
  await complete(api, second);
});

test.each(["?after=msg_1", "?after=1.x", "?limit=0", "?limit=9999", "?attempt=1&attempt=2"])(
  "%s is refused",
  async (query) => {
    const turn = await begin();
    expect((await list(turn.messageId, query)).status).toBe(422);
    await complete(api, turn);
  },
);

test("a fork has none, and they are deleted with their session", async () => {
  const turn = await begin();
  await recordModelRequests(api.db, turn, [row(1)]);
  await complete(api, turn);
  const fork = await api.call("POST", `/v1/sessions/${turn.sessionId}/fork`, { body: {} });
  const messages = await api.call("GET", `/v1/sessions/${String(fork.json["id"])}/messages`);
  const [copy] = messages.json.data as { id: string }[];
  expect((await list(copy!.id)).json).toMatchObject({ data: [], has_more: false });
  expect((await list(turn.messageId)).json.data).toHaveLength(1);
  await api.call("DELETE", `/v1/sessions/${turn.sessionId}`);
  expect((await list(turn.messageId)).status).toBe(404);
});
