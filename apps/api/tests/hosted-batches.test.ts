// Batches in the form of the hosted service's later clients, and a session's usage.

import { routes, validate } from "@dari/contract";
import { failure, newId } from "@dari/domain";
import { createTestAgent, createTestFile } from "@dari/testkit";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import { claim, finish } from "./turn.ts";

let api: TestApi;
let agentId: string;
let versionId: string;
beforeEach(async () => {
  api = await startTestApi();
  ({ agentId, versionId } = await createTestAgent(api.db, api.org.organizationId));
});
afterEach(async () => api[Symbol.asyncDispose]());

const path = "/v1/session-batches";
const say = (text: string) => ({ content: [{ type: "text", text }] });
const item = (text: string, more = {}) => ({ agent_id: agentId, message: say(text), ...more });
const send = (items: unknown[], more: Record<string, unknown> = {}, headers = {}) =>
  api.call("POST", path, { body: { items, ...more }, headers });

describe("a batch of items", () => {
  test("starts a session for each, with its metadata and its secrets, and names them in their order", async () => {
    const own = { version_id: versionId, metadata: { task: "1" }, secrets: { A_KEY: "own" } };
    const made = await send([item("one", own), item("two", { version_id: versionId })]);
    expect([made.status, validate(routes.createSessionBatch.reply, made.json)]).toEqual([201, []]);
    expect(made.json).toMatchObject({ batch_id: made.json["id"], agent_id: agentId, total: 2 });
    const sessions = made.json["sessions"] as { session_id: string }[];
    expect(sessions).toMatchObject([
      { index: 0, status: "queued", last_message_status: "queued", version_id: versionId, metadata: { task: "1" } },
      { index: 1, agent_id: agentId, llm_id: null, error: null, metadata: {} },
    ]);
    const first = String(sessions[0]?.session_id);
    const messages = await api.call("GET", `/v1/sessions/${first}/messages`);
    expect(messages.json["messages"]).toMatchObject([{ parts: say("one").content, metadata: { task: "1" } }]);
    const { rows } = await api.db.pool.query("select session_id, name from session_secrets");
    expect(rows).toEqual([{ session_id: first, name: "A_KEY" }]);
  });

  test("is created once for one key, which can be in its body", async () => {
    const [first, again] = [await send([item("one")], key), await send([item("one")], key)];
    expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([201, "true"]);
    expect(again.json).toEqual(first.json);
    const both = await send([item("one")], key, { "idempotency-key": "another" });
    expect([both.status, both.json["errors"]]).toEqual([
      422,
      [{ path: "idempotency_key", message: expect.stringContaining("Idempotency-Key") }],
    ]);
    expect((await send([item("two")], key)).json.code).toBe("idempotency_key_reused");
  });
  const key = { idempotency_key: "run-1" };

  test("is refused as a whole, by the name of what is wrong", async () => {
    const other = await createTestAgent(api.db, api.org.organizationId);
    const foreign = await createTestFile(api.db, api.stranger.organizationId);
    const withFile = item("x", { message: { content: [{ type: "file", file_id: foreign }] } });
    const secrets = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`S${index}`, "v"]));
    const refusals: [unknown[], Record<string, unknown>, string, RegExp][] = [
      [[item("a"), item("b", { agent_id: other.agentId })], {}, "items[1].agent_id", /same agent/],
      [[item("a"), item("b", { version_id: versionId })], {}, "items[1].version_id", /same version/],
      [[item("a", { llm_id: "medium" })], {}, "items[0].llm_id", /chooses its model/],
      [[item("a"), withFile], {}, "items[1].message.content[0].file_id", /file not found/],
      [[item("a")], { agent_id: agentId }, "agent_id", /unsupported together/],
      [[item("a")], { sessions: [{ parts: say("b").content }] }, "sessions", /unsupported together/],
      [[{ agent_id: agentId }], {}, "items[0].message", /required/],
      [[], {}, "items", /at least 1/],
      [Array.from({ length: 1_001 }, () => item("a")), {}, "items", /at most 1000/],
      [Array.from({ length: 21 }, () => item("a", { secrets })), {}, "items", /10,500 secrets .* limit is 10,000/],
    ];
    for (const [items, more, field, message] of refusals) {
      const refused = await send(items, more);
      expect([refused.status, refused.json["errors"]]).toEqual([
        422,
        [{ path: field, message: expect.stringMatching(message) }],
      ]);
    }
    const { rows } = await api.db.pool.query("select (select count(*)::int from sessions) as sessions");
    expect(rows).toEqual([{ sessions: 0 }]);
    expect((await api.call("POST", path, { body: { items: [item("a")] }, key: api.stranger.apiKey })).status).toBe(404);
  });

  test("counts as many messages as it has items", async () => {
    await using bounded = await startTestApi({ rates: { messages: 2 } });
    const agent = await createTestAgent(bounded.db, bounded.org.organizationId);
    const items = ["one", "two", "three"].map((text) => ({ agent_id: agent.agentId, message: say(text) }));
    expect((await bounded.call("POST", path, { body: { items } })).status).toBe(429);
  });
});

describe("the cost of a session", () => {
  const costOf = (id: string, options = {}) => api.call("GET", `/v1/costs/sessions/${id}`, options);

  test("is what its turns have used; money is not known", async () => {
    const made = await api.call("POST", `/v1/agents/${agentId}/messages`, {
      body: { type: "user.message", ...say("one") },
    });
    const { id } = made.json["session"] as { id: string };
    const none = await costOf(id);
    expect([none.status, validate(routes.getSessionCost.reply, none.json)]).toEqual([200, []]);
    expect(none.json).toMatchObject({ event_count: 0, messages: 1, tokens: 0, usage: {}, total_cost_usd: null });

    await dispatch();
    const usage = { requests: 2, input_tokens: 100, output_tokens: 20, total_tokens: 120 };
    const output = { parts: [{ type: "text", text: "done" }], usage };
    await finish(api, await claim(api), { ending: "completed", output, filesChanged: [], snapshot: emptySnapshot() });
    await api.call("POST", `/v1/sessions/${id}/events`, { body: { type: "user.message", ...say("two") } });
    await dispatch();
    await finish(api, await claim(api), { ending: "failed", failure: failure("timeout", "too long") });
    const cost = await costOf(id);
    expect(validate(routes.getSessionCost.reply, cost.json)).toEqual([]);
    expect(cost.json).toMatchObject({
      scope_kind: "session",
      scope_id: id,
      event_count: 2,
      messages: 2,
      failed: 1,
      turns: 2,
      tokens: 120,
      usage,
      total_cost_usd: null,
      is_cut: false,
    });
    expect((await costOf(id, { key: api.stranger.apiKey })).status).toBe(404);
  });

  const emptySnapshot = () => ({
    ...{ id: newId("snapshot"), parentId: null, objectKey: null, isFull: false, deltaDepth: 0 },
    ...{ treeHash: "0".repeat(64), sizeBytes: 0, files: 0, totalBytes: 0 },
  });
  const dispatch = () =>
    api.db.pool.query(`update sessions set schedule = 'dispatched', ready_at = null,
      lease_until = clock_timestamp() + interval '1 minute' where schedule = 'ready'`);
});
