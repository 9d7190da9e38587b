// Who may call the MCP server, how much, and what hostile calls get.

import { createStreamLimiter } from "@dari/control/outbound";
import { createTestAgent, createTestKey, createTestSession, waitUntil } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { challengeHeader } from "../src/oauth/challenge.ts";
import { startTestApi, type CallOptions, type TestApi } from "./api-fixture.ts";
import { askIn } from "./chat-client-turns.ts";
import { createRows, unknown, type Ids } from "./foreign-ids.ts";
import { connectMcp, earlierProtocol, messagesIn, requestOf } from "./mcp-client.ts";
import { allowOrigins, tokenOf } from "./session-token-fixture.ts";
import { complete, finish } from "./turn.ts";
import { claimIn } from "./watching.ts";

let api: TestApi;
let agentId: string;
beforeAll(async () => {
  api = await startTestApi({ settings: { heartbeatMs: 100 } });
  ({ agentId } = await createTestAgent(api.db, api.org.organizationId));
});
afterAll(async () => api[Symbol.asyncDispose]());

const createSession = () => createTestSession(api.db, api.org.organizationId, agentId);
const countMessages = async (sessionId: string) =>
  ((await api.call("GET", `/v1/sessions/${sessionId}/messages`)).json.data as unknown[]).length;

function post(method: string, params: object = {}, options: CallOptions = {}) {
  const { body, headers } = requestOf(method, params);
  return api.call("POST", "/mcp", { body, ...options, headers: { ...headers, ...options.headers } });
}

/** Calls a tool, and returns its text and whether it is an error. */
async function use(name: string, input: object, options: CallOptions & { readonly more?: object } = {}) {
  const { more, ...call } = options;
  const reply = await post("tools/call", { name, arguments: input, ...more }, call);
  const result = messagesIn(reply.text).at(-1)?.["result"] as { isError?: boolean; content?: { text: string }[] };
  return { status: reply.status, isError: result?.isError === true, text: result?.content?.[0]?.text ?? reply.text };
}

test("a call without a key, or with a session's token, is refused by name", async () => {
  for (const key of [null, "dari_wrong"]) {
    const reply = await post("tools/list", {}, { key });
    expect([reply.status, reply.json.detail]).toEqual([401, "Missing or invalid API key"]);
    const error = key === null ? undefined : "invalid_token";
    expect(reply.headers.get("www-authenticate")).toBe(challengeHeader({ publicUrl: api.url }, error));
  }
  const reply = await post("tools/list", {}, { key: await tokenOf(api, await createSession()) });
  expect([reply.status, reply.json.code]).toEqual([403, "forbidden"]);
  expect(reply.json.detail).toContain("session token");
});

test("a call with very many values is refused before the protocol's library describes each", async () => {
  const experimental = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`k${index}`, 1]));
  const clientInfo = { name: "t", version: "1" };
  const reply = await post("initialize", {
    protocolVersion: earlierProtocol,
    clientInfo,
    capabilities: { experimental },
  });
  expect([reply.status, reply.json["errors"]]).toEqual([
    422,
    [{ path: "body", message: "expected at most 5000 values" }],
  ]);
});

test("there is no stream to open and no protocol session to end", async () => {
  for (const method of ["GET", "DELETE", "PUT"]) {
    const reply = await api.call(method, "/mcp", { headers: { accept: "text/event-stream" } });
    expect([reply.status, reply.headers.get("allow")]).toEqual([405, "POST"]);
  }
  const listen = await post("subscriptions/listen", { notifications: { toolsListChanged: true } });
  expect([listen.status, listen.json["error"]]).toEqual([404, { code: -32_601, message: expect.any(String) }]);
  const initialize = { protocolVersion: earlierProtocol, capabilities: {}, clientInfo: { name: "t", version: "1" } };
  const started = await api.call("POST", "/mcp", {
    body: { jsonrpc: "2.0", id: 1, method: "initialize", params: initialize },
  });
  expect(messagesIn(started.text)[0]).toMatchObject({ result: { protocolVersion: earlierProtocol } });
  expect(started.headers.get("mcp-session-id")).toBeNull();
  const notified = await api.call("POST", "/mcp", { body: { jsonrpc: "2.0", method: "notifications/initialized" } });
  expect([notified.status, notified.text]).toEqual([202, ""]);
});

test("what the protocol does not have is refused in its own form", async () => {
  const batch = [requestOf("tools/list").body, requestOf("tools/list").body];
  expect((await api.call("POST", "/mcp", { body: JSON.stringify(batch) })).status).toBe(422);
  const missing = await post("resources/list");
  expect([missing.status, messagesIn(missing.text)[0]?.["error"]]).toEqual([
    404,
    expect.objectContaining({ code: -32_601 }),
  ]);
  const { body, headers } = requestOf("tools/list");
  const future = JSON.parse(JSON.stringify(body).replaceAll("2026-07-28", "2099-01-01")) as object;
  const refused = await api.call("POST", "/mcp", {
    body: future,
    headers: { ...headers, "mcp-protocol-version": "2099-01-01" },
  });
  expect([refused.status, refused.text]).toEqual([400, expect.stringContaining("2026-07-28")]);
  const contradiction = await api.call("POST", "/mcp", { body, headers: { ...headers, "mcp-method": "ping" } });
  expect(contradiction.status).toBe(400);
});

test("a page of another origin is refused, also of one that may use session tokens", async () => {
  await allowOrigins(api, ["https://app.example.com"]);
  const from = (origin: string) => post("tools/list", {}, { headers: { origin } });
  for (const origin of ["https://evil.example", "https://app.example.com", "http://127.0.0.1:9", "null", ""])
    expect([origin, (await from(origin)).status]).toEqual([origin, 403]);
  const own = await from(api.url);
  expect([own.status, own.headers.get("access-control-allow-origin")]).toEqual([200, null]);
});

test("a key that only reads can list and read, but not send", async () => {
  const { apiKey: key } = await createTestKey(api.db, api.org.organizationId, ["read"]);
  const sessionId = await createSession();
  expect(await use("list_messages", { session_id: sessionId }, { key })).toMatchObject({ isError: false });
  const sends = [
    await use("send_message", { session_id: sessionId, text: "x" }, { key }),
    await use("create_session", { agent_id: agentId }, { key }),
    await use("answer_message", { message_id: unknown["message_id"], key: "a", value: 1 }, { key }),
  ];
  for (const answer of sends)
    expect(answer).toMatchObject({ isError: true, text: expect.stringContaining("does not have the scope 'run'") });
  expect(await countMessages(sessionId)).toBe(0);
});

test("another organization's ids are answered like unknown ones, by every tool", async () => {
  const foreign = await createRows(api, api.stranger);
  const inputs = (ids: Ids): [string, Record<string, unknown>][] => [
    ["list_sessions", { agent_id: ids["agent_id"] }],
    ["create_session", { agent_id: ids["agent_id"] }],
    ["send_message", { session_id: ids["session_id"], text: "x" }],
    ["get_message", { message_id: ids["message_id"] }],
    ["answer_message", { message_id: ids["message_id"], key: "a", value: 1 }],
    ["list_messages", { session_id: ids["session_id"] }],
    ["list_files", { session_id: ids["session_id"] }],
    ["read_file", { session_id: ids["session_id"], path: "/a" }],
  ];
  for (const [at, [name, input]] of inputs(foreign).entries()) {
    const theirs = await use(name, input);
    const nobodys = await use(name, inputs(unknown)[at]![1]);
    const shown = [theirs, nobodys].map(({ text, ...rest }) => ({
      ...rest,
      text: text.replace(/\b[a-z]+_[0-9a-z]{26}\b/g, "(id)"),
    }));
    expect([name, shown[0]]).toEqual([name, shown[1]]);
    expect([name, theirs.isError || theirs.text.includes('"sessions": []')]).toEqual([name, true]);
  }
  const state = JSON.stringify({ messageId: foreign["message_id"], key: "a" });
  const inputResponses = { input: { action: "accept", content: { answer: "x" } } };
  const forged = await use(
    "get_message",
    { message_id: unknown["message_id"] },
    { more: { requestState: state, inputResponses } },
  );
  expect(forged).toMatchObject({ isError: true, text: expect.stringContaining("message not found") });
  const { body, headers } = requestOf("tools/list");
  const listed = await api.call("POST", `/mcp?agents=${foreign["agent_id"]}`, { body, headers });
  const { tools } = messagesIn(listed.text)[0]?.["result"] as { tools: { name: string }[] };
  expect(tools.map(({ name }) => name)).toEqual(["get_message", "answer_message", "list_messages"]);
});

test("waiting calls are open streams of the organization, and the next one is refused before it sends", async () => {
  Object.assign(api.control, { streams: createStreamLimiter({ perProcess: 10, perOrganization: 1 }) });
  const sessionId = await createSession();
  const over = new AbortController();
  await using client = await connectMcp(api);
  const first = client.call(
    "send_message",
    { session_id: sessionId, text: "1", wait_seconds: 600 },
    { signal: over.signal },
  );
  first.catch(() => undefined);
  const turn = await claimIn(api, sessionId);
  await waitUntil(async () => (await use("list_agents", {})).status === 429, { what: "the place to be taken" });
  const refused = await post("tools/call", { name: "send_message", arguments: { session_id: sessionId, text: "2" } });
  expect([refused.status, refused.json.code, refused.headers.get("retry-after")]).toEqual([429, "limit_exceeded", "5"]);
  expect(await countMessages(sessionId)).toBe(1);
  over.abort();
  await waitUntil(async () => (await use("list_agents", {})).status === 200, { what: "the place to be free" });
  const waiting = client.call("get_message", { message_id: turn.messageId, wait_seconds: 600 });
  await complete(api, turn);
  expect((await waiting).json).toMatchObject({ status: "completed" });
  await waitUntil(async () => (await use("list_agents", {})).status === 200, { what: "the place to be free again" });
  Object.assign(api.control, { streams: createStreamLimiter() });
});

test("many calls at once do not pass the limit", async () => {
  Object.assign(api.control, { streams: createStreamLimiter({ perProcess: 100, perOrganization: 3 }) });
  const sessions = await Promise.all(Array.from({ length: 10 }, createSession));
  const calls = sessions.map((id) => use("send_message", { session_id: id, text: "x", wait_seconds: 2 }));
  const statuses = (await Promise.all(calls)).map(({ status }) => status);
  expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(3);
  expect(statuses).toContain(429);
  Object.assign(api.control, { streams: createStreamLimiter() });
});

test("texts, tokens and bodies have limits, and what is refused is not sent", async () => {
  const sessionId = await createSession();
  const long = await use("send_message", { session_id: sessionId, text: "x".repeat(1_000_001) });
  expect(long).toMatchObject({ isError: true, text: expect.stringContaining("text:") });
  const _meta = { progressToken: "x".repeat(257) };
  const token = await use("send_message", { session_id: sessionId, text: "x" }, { more: { _meta } });
  expect(token).toMatchObject({ isError: true, text: "progressToken: expected at most 256 characters" });
  const body = JSON.stringify({ ...requestOf("tools/list").body, more: "x".repeat(4 * 1024 * 1024) });
  expect((await api.call("POST", "/mcp", { body })).status).toBe(413);
  const inputResponses = { input: { action: "accept", content: { answer: "x" } } };
  const lost = await use("send_message", { session_id: sessionId, text: "x" }, { more: { inputResponses } });
  expect(lost).toMatchObject({ isError: true, text: expect.stringContaining("requestState") });
  expect(await countMessages(sessionId)).toBe(0);
});

test("messages are counted, as those of other calls", async () => {
  await using own = await startTestApi({ rates: { messages: 1 } });
  const agent = (await createTestAgent(own.db, own.org.organizationId)).agentId;
  const sessionId = await createTestSession(own.db, own.org.organizationId, agent);
  await using client = await connectMcp(own);
  const send = () => client.call("send_message", { session_id: sessionId, text: "x", wait_seconds: 0 });
  expect((await send()).isError).toBe(false);
  expect(await send()).toMatchObject({ isError: true, text: expect.stringContaining("1 messages per minute") });
});

test("what an agent writes cannot leave its place in the stream", async () => {
  const sessionId = await createSession();
  const message = 'x\n\nevent: message\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\r\n\r\n';
  const replying = post("tools/call", { name: "send_message", arguments: { session_id: sessionId, text: "x" } });
  await finish(api, await claimIn(api, sessionId), { ending: "failed", failure: { code: "agent_error", message } });
  const reply = await replying;
  expect(reply.headers.get("content-type")).toBe("text/event-stream");
  expect(messagesIn(reply.text)).toHaveLength(1);
  expect(JSON.stringify(messagesIn(reply.text))).toContain(String.raw`\\n\\nevent: message`);
});

test("a silent turn keeps its stream alive", async () => {
  const sessionId = await createSession();
  const replying = post("tools/call", {
    name: "send_message",
    arguments: { session_id: sessionId, text: "x", wait_seconds: 1 },
  });
  const turn = await claimIn(api, sessionId);
  expect((await replying).text).toContain(": keepalive");
  await complete(api, turn);
});

test("a wait ends when its key is revoked", async () => {
  const { apiKey: key, keyId } = await createTestKey(api.db, api.org.organizationId, ["run"]);
  const sessionId = await createSession();
  const waiting = use("send_message", { session_id: sessionId, text: "x", wait_seconds: 600 }, { key });
  const turn = await claimIn(api, sessionId);
  expect((await api.call("DELETE", `/v1/organizations/current/api-keys/${keyId}`)).status).toBe(200);
  const answer = await waiting;
  expect(answer).toMatchObject({ isError: true, text: expect.stringContaining("Missing or invalid API key") });
  expect(answer.text).toContain(`The message is ${turn.messageId}; get_message waits for it.`);
  await complete(api, turn);
});

test("an answer that comes twice continues with the turn", async () => {
  const sessionId = await createSession();
  const sent = use("send_message", { session_id: sessionId, text: "x", wait_seconds: 600 });
  const turn = await claimIn(api, sessionId);
  await askIn(api, turn);
  await sent;
  const requestState = JSON.stringify({ messageId: turn.messageId, key: "refund" });
  const inputResponses = { input: { action: "accept", content: { approved: true } } };
  const answer = () =>
    use("get_message", { message_id: turn.messageId, wait_seconds: 0 }, { more: { requestState, inputResponses } });
  for (const answered of [await answer(), await answer()]) {
    expect(answered).toMatchObject({ isError: false, text: expect.stringContaining(turn.messageId) });
    expect(answered.text).not.toContain("waits_for");
  }
});

/** Sends a message whose turn asks for an approval. Returns its session and its id, and how to call with an answer. */
async function sendAndAsk() {
  const sessionId = await createSession();
  const input = { session_id: sessionId, text: "x", wait_seconds: 600 };
  const sent = use("send_message", input);
  const turn = await claimIn(api, sessionId);
  await askIn(api, turn);
  await sent;
  const answer = (content: object, field?: string, options: CallOptions = {}) => {
    const requestState = JSON.stringify({ messageId: turn.messageId, key: "refund", field });
    const inputResponses = { input: { action: "accept", content } };
    return use("send_message", input, { ...options, more: { requestState, inputResponses } });
  };
  return { sessionId, messageId: turn.messageId, answer };
}

test("an answer that does not fit names the message, so that a model does not send it again", async () => {
  const { sessionId, messageId, answer } = await sendAndAsk();
  const refused = await answer({ approved: "yes" });
  expect(refused).toMatchObject({ isError: true, text: expect.stringContaining("value.approved: expected") });
  expect(refused.text).toContain(`The message is ${messageId}; get_message waits for it.`);
  expect(await countMessages(sessionId)).toBe(1);
});

test("a forged state can do what its key can do, and no more", async () => {
  const { messageId, answer } = await sendAndAsk();
  const { apiKey: key } = await createTestKey(api.db, api.org.organizationId, ["read"]);
  const reading = await answer({ approved: true }, undefined, { key });
  expect(reading).toMatchObject({ isError: true, text: expect.stringContaining("does not have the scope 'run'") });
  for (const field of ["constructor", "__proto__", "other"]) {
    const odd = await answer({ approved: true }, field);
    expect(odd).toMatchObject({ isError: true, text: expect.stringContaining("value: field is required") });
  }
  expect((await api.call("GET", `/v1/messages/${messageId}`)).json["status"]).toBe("waiting_for_input");
});

test("a client of an earlier protocol that claims to show forms gets the question as data", async () => {
  const { messageId } = await sendAndAsk();
  for (const elicitation of [null, "x", {}]) {
    const _meta = { "io.modelcontextprotocol/clientCapabilities": { elicitation } };
    const params = { name: "get_message", arguments: { message_id: messageId }, _meta };
    const { text } = await api.call("POST", "/mcp", { body: { jsonrpc: "2.0", id: 1, method: "tools/call", params } });
    expect(messagesIn(text).at(-1)?.["result"]).not.toHaveProperty("isError");
    expect(text).toContain("waits_for");
  }
});

test("an unexpected failure is logged, and a model gets its id only", async () => {
  const sessionId = await createSession();
  const { feeds } = api.control;
  Object.assign(api.control, { feeds: { watch: () => Promise.reject(new Error("the master key is made of cheese")) } });
  const failed = await use("send_message", { session_id: sessionId, text: "x" });
  Object.assign(api.control, { feeds });
  expect(failed).toMatchObject({ isError: true, text: expect.stringContaining("request_id: ") });
  expect(failed.text).not.toContain("cheese");
  expect(api.log.some(({ level, fields }) => level === "error" && String(fields["err"]).includes("cheese"))).toBe(true);
});

test("a server that drains answers waiting calls with the current record", async () => {
  const own = await startTestApi();
  const agent = (await createTestAgent(own.db, own.org.organizationId)).agentId;
  const sessionId = await createTestSession(own.db, own.org.organizationId, agent);
  await using client = await connectMcp(own);
  const waiting = client.call("send_message", { session_id: sessionId, text: "x", wait_seconds: 600 });
  await claimIn(own, sessionId);
  await own.api.close();
  expect((await waiting).json).toMatchObject({ status: "running" });
  await own[Symbol.asyncDispose]();
});

test("a question that no form can show is data", async () => {
  const answer = () => ({ action: "accept", content: {} });
  await using client = await connectMcp(api, { answer });
  const sessionId = await createSession();
  const sending = client.call("send_message", { session_id: sessionId, text: "x", wait_seconds: 600 });
  const schema = { type: "object", properties: { list: { type: "array", items: { type: "object" } } } };
  await askIn(api, await claimIn(api, sessionId), "nested", schema);
  expect((await sending).json).toMatchObject({ status: "waiting_for_input", waits_for: { key: "nested" } });
});
