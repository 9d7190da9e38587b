// OpenAI's Chat Completions: the conversation that a client sends finds its session.

import { routes, validate } from "@dari/contract";
import type { ClaimedTurn } from "@dari/db";
import { createTestAgent, waitUntil } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { askIn } from "./chat-client-turns.ts";
import { complete, finish } from "./turn.ts";
import { claimSent } from "./watching.ts";

let api: TestApi;
let agentId: string;
let foreignAgentId: string;
beforeAll(async () => {
  api = await startTestApi({ settings: { syncWaitMs: 30_000 } });
  ({ agentId } = await createTestAgent(api.db, api.org.organizationId));
  foreignAgentId = (await createTestAgent(api.db, api.stranger.organizationId)).agentId;
});
afterAll(async () => api[Symbol.asyncDispose]());

const say = (role: string, content: string) => ({ role, content });

function ask(
  messages: readonly object[],
  body: object = {},
  { key = api.org.apiKey, headers = {} }: { key?: string; headers?: Record<string, string> } = {},
): Promise<TestReply> {
  return api.call("POST", "/openai/v1/chat/completions", { key, headers, body: { model: agentId, messages, ...body } });
}

/** Asks, and completes the turn, whose answer is `done`. */
async function answered(
  messages: readonly object[],
  body: object = {},
  headers: Record<string, string> = {},
): Promise<ClaimedTurn & { reply: TestReply }> {
  const { turn, replying } = await claimSent(api, () => ask(messages, body, { headers }));
  await complete(api, turn);
  const reply = await replying;
  expect([reply.status, reply.text]).toEqual([200, expect.any(String)]);
  return { ...turn, reply };
}

const sentTo = async ({ messageId }: ClaimedTurn): Promise<unknown> =>
  (await api.call("GET", `/v1/messages/${messageId}`)).json["parts"];

test("a conversation continues in its session, and a branch of it in a fork", async () => {
  const first = await answered([say("user", "hi")]);
  expect(validate(routes.createOpenAiChatCompletion.reply, first.reply.json)).toEqual([]);
  expect(first.reply.json).toMatchObject({
    object: "chat.completion",
    choices: [{ message: { role: "assistant", content: "done" }, finish_reason: "stop" }],
  });
  const talk = [say("user", "hi"), say("assistant", "done")];
  const second = await answered([...talk, say("user", "more")]);
  expect(second.sessionId).toBe(first.sessionId);
  expect(await sentTo(second)).toEqual([{ type: "text", text: "more" }]);
  const third = await answered([
    ...talk,
    say("user", "more"),
    say("assistant", "Let me see.\n\ndone"),
    say("user", "3"),
  ]);
  expect(third.sessionId).toBe(first.sessionId);
  const branch = await answered([...talk, say("user", "something else")]);
  expect(branch.sessionId).not.toBe(first.sessionId);
  const { json } = await api.call("GET", `/v1/sessions/${branch.sessionId}`);
  expect(json["forked_from"]).toEqual({ session_id: first.sessionId, message_id: first.messageId });
});

test("a conversation that is not known starts a session with its text", async () => {
  const turn = await answered([say("system", "Be kind."), say("user", "a"), say("assistant", "b"), say("user", "c")]);
  expect(await sentTo(turn)).toEqual([
    {
      type: "text",
      text: [
        "The conversation so far, one JSON object per message:",
        '{"role":"system","content":"Be kind."}',
        '{"role":"user","content":"a"}',
        '{"role":"assistant","content":"b"}',
      ].join("\n"),
    },
    { type: "text", text: "c" },
  ]);
  // From now on, it is known.
  const talk = [say("system", "Be kind."), say("user", "a"), say("assistant", "b"), say("user", "c")];
  const next = await answered([...talk, say("assistant", "done"), say("user", "d")]);
  expect(next.sessionId).toBe(turn.sessionId);
});

test("a conversation of another end user or organization, or with another answer, is not continued", async () => {
  const open = [say("user", "private"), say("assistant", "done"), say("user", "more")];
  const ann = await answered(open.slice(0, 1), { user: "ann" });
  for (const [messages, body] of [
    [open, {}],
    [open, { user: "bob" }],
    [open, { metadata: { user: "bob" } }],
    [[open[0]!, say("assistant", "undone?"), open[2]!], { user: "ann" }],
    [[open[0]!, say("assistant", ""), open[2]!], { user: "ann" }],
  ] as const) {
    expect((await answered(messages, body)).sessionId).not.toBe(ann.sessionId);
  }
  const replying = ask(open, { user: "ann", model: foreignAgentId }, { key: api.stranger.apiKey });
  const sessionId = await waitUntil(
    async () => {
      const { rows } = await api.db.pool.query<{ id: string }>(
        "select session_id as id from dari.messages where organization_id = $1",
        [api.stranger.organizationId],
      );
      return rows[0]?.id;
    },
    { what: "the stranger's message" },
  );
  expect(sessionId).not.toBe(ann.sessionId);
  const { rows } = await api.db.pool.query<{ id: string }>("select id from dari.messages where session_id = $1", [
    sessionId,
  ]);
  await api.call("POST", `/v1/messages/${rows[0]?.id}/cancel`, { key: api.stranger.apiKey });
  expect((await replying).status).toBe(500);
  expect((await answered(open, { metadata: { user: "ann" } })).sessionId).toBe(ann.sessionId);
});

test("a person whom Open WebUI names in a header continues only conversations of the same person", async () => {
  const open = [say("user", "equal words"), say("assistant", "done"), say("user", "more")];
  const from = (user: string) => ({ "x-openwebui-user-id": user });
  const ann = await answered(open.slice(0, 1), {}, from("ann"));
  expect((await answered(open, {}, from("bob"))).sessionId).not.toBe(ann.sessionId);
  expect((await answered(open, {})).sessionId).not.toBe(ann.sessionId);
  expect((await answered(open, { user: "bob" }, from("ann"))).sessionId).not.toBe(ann.sessionId);
  const more = await answered(open, {}, from("ann"));
  expect(more.sessionId).toBe(ann.sessionId);
  expect((await api.call("GET", `/v1/messages/${more.messageId}`)).json["metadata"]).toEqual({ user: "ann" });
  const refused = await ask(open, {}, { headers: from("x".repeat(2_049)) });
  expect([refused.status, refused.json["error"]]).toMatchObject([400, { param: "X-OpenWebUI-User-Id" }]);
});

test("a stream has the answer in chunks, and with store: false nothing is left", async () => {
  const body = { stream: true, store: false, stream_options: { include_usage: true } };
  const { turn, replying } = await claimSent(api, () => ask([say("user", "hi")], body));
  await complete(api, turn);
  const { status, text } = await replying;
  expect([status, text]).toEqual([200, expect.stringContaining('"delta":{"content":"done"}')]);
  expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
  await waitUntil(async () => (await api.call("GET", `/v1/sessions/${turn.sessionId}`)).status === 404, {
    what: "the session to be deleted",
  });
});

test("a turn that fails is an error that clients do not repeat", async () => {
  const { turn, replying } = await claimSent(api, () => ask([say("user", "hi")]));
  await finish(api, turn, { ending: "failed", failure: { code: "agent_error", message: "broken" } });
  const { status, json, headers } = await replying;
  expect([status, headers.get("x-should-retry")]).toEqual([500, "false"]);
  expect(json).toEqual({
    error: { message: "agent_error: broken", type: "server_error", param: null, code: "agent_error" },
  });
});

test("a turn that waits for an input is a conflict that says where to answer", async () => {
  const { turn, replying } = await claimSent(api, () => ask([say("user", "pay")]));
  await askIn(api, turn);
  const { status, json, headers } = await replying;
  expect([status, headers.get("x-should-retry")]).toEqual([409, "false"]);
  const message =
    `Waiting for the input "refund" of message ${turn.messageId}: May I?\n` +
    `Answer it at POST /v1/messages/${turn.messageId}/inputs; GET /v1/messages/${turn.messageId} then has the answer`;
  expect(json["error"]).toEqual({ message, type: "invalid_request_error", param: null, code: "conflict" });
});

test("with store: false, a turn that waits for an input is deleted, and the conflict says so", async () => {
  const { turn, replying } = await claimSent(api, () => ask([say("user", "pay")], { store: false }));
  await askIn(api, turn);
  const { status, json } = await replying;
  expect([status, json["error"]]).toMatchObject([409, { message: expect.stringContaining("`store: true`") }]);
  expect((await api.call("GET", `/v1/sessions/${turn.sessionId}`)).status).toBe(404);
});

test("a completion that a drain interrupts names its message, and clients do not repeat it", async () => {
  await using draining = await startTestApi({ settings: { syncWaitMs: 30_000 } });
  const { agentId: model } = await createTestAgent(draining.db, draining.org.organizationId);
  const body = { model, messages: [say("user", "hi")] };
  const post = (more = {}) => draining.call("POST", "/openai/v1/chat/completions", { body: { ...body, ...more } });
  const { turn, replying } = await claimSent(draining, () => post());
  const streaming = await claimSent(draining, () => post({ stream: true }));
  const closed = draining.api.close();
  const { status, json, headers } = await replying;
  expect([status, headers.get("x-should-retry")]).toEqual([503, "false"]);
  expect(json["error"]).toMatchObject({ message: expect.stringContaining(turn.messageId) });
  const { text } = await streaming.replying;
  expect(text).toContain(`"code":"stream_interrupted"`);
  expect(text).not.toContain("[DONE]");
  await closed;
});

test("store: false is refused with a key", async () => {
  const headers = { "idempotency-key": "k-1" };
  const body = { model: agentId, messages: [say("user", "hi")], store: false };
  const refused = await api.call("POST", "/openai/v1/chat/completions", { body, headers });
  expect([refused.status, refused.json["error"]]).toMatchObject([400, { param: "store" }]);
});
