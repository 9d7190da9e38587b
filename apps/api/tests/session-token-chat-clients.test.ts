// A session token on the routes of chat clients: one request of them can send, answer, upload, cancel or roll back, and
// each needs its own right. The tests run the turns themselves.

import { routes, tokenScopeOf, type Route, type RouteName } from "@dari/contract";
import { failure } from "@dari/domain";
import { createTestAgent, createTestFile, createTestMessage, createTestSession } from "@dari/testkit";
import { findViolations, type ClaimedTurn } from "@dari/db";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { askIn, chunksIn, typesIn, type Chunk } from "./chat-client-turns.ts";
import { rowsOf, unknown, withoutIds, type Ids } from "./foreign-ids.ts";
import { allowOrigins, tokenOf } from "./session-token-fixture.ts";
import { complete, finish } from "./turn.ts";
import { claimIn, watchRaw } from "./watching.ts";

let api: TestApi;
let agentId: string;
beforeAll(async () => {
  api = await startTestApi();
  ({ agentId } = await createTestAgent(api.db, api.org.organizationId));
});
afterAll(async () => {
  expect(await findViolations(api.db)).toEqual([]);
  await api[Symbol.asyncDispose]();
});

const newSession = () => createTestSession(api.db, api.org.organizationId, agentId);
const pathOf = (sessionId: string, rest = "ai-sdk") => `/v1/sessions/${sessionId}/${rest}`;
const post = (path: string, key: string, body: object) => api.call("POST", path, { key, body });

let lastId = 0;
const nextId = () => `ui-${(lastId += 1)}`;
const say = (text: string, more: object = {}) => ({
  message: { id: nextId(), role: "user", parts: [{ type: "text", text }], ...more },
});
const run = (more: object) => ({ threadId: "t", runId: "r", messages: [], tools: [], context: [], ...more });
const runWith = (content: unknown, more: object = {}) =>
  run({ messages: [{ id: nextId(), role: "user", content, ...more }] });
const inlineFile = { type: "file", mediaType: "text/plain", filename: "a.txt", url: "data:text/plain;base64,aGk=" };
const approving = (messageId: unknown, key = "refund") => ({
  message: {
    id: "a",
    role: "assistant",
    parts: [
      { type: "dynamic-tool", state: "approval-responded", approval: { id: `${messageId}:${key}`, approved: true } },
    ],
  },
});
const resuming = (messageId: unknown, status: "resolved" | "cancelled", payload?: unknown) => ({
  resume: [{ interruptId: `${messageId}:refund`, status, ...(payload === undefined ? {} : { payload }) }],
});

/** Runs the turn that a request starts. */
async function withTurn(
  sessionId: string,
  replying: Promise<TestReply>,
  work: (turn: ClaimedTurn) => Promise<unknown>,
) {
  const turn = await claimIn(api, sessionId);
  await work(turn);
  const reply = await replying;
  expect([reply.status, reply.text]).toEqual([200, expect.any(String)]);
  return { messageId: turn.messageId, reply };
}

const done = (turn: ClaimedTurn) => complete(api, turn);
const fail = (turn: ClaimedTurn) => finish(api, turn, { ending: "failed", failure: failure("agent_error", "no") });
const ask = (turn: ClaimedTurn) => askIn(api, turn);

const record = async (messageId: string) => (await api.call("GET", `/v1/messages/${messageId}`)).json;

/** Everything that the organization has, but the counters of rate limits. */
async function keptRows(): Promise<unknown> {
  const rows = (await rowsOf(api, api.org.organizationId)) as [string, unknown][];
  return rows.filter(([table]) => table !== "rate_windows");
}

describe("its own session", () => {
  test("a page sends a message with a file, resumes, and loads it, as its end user", async () => {
    await allowOrigins(api, ["https://app.example.com"]);
    const sessionId = await newSession();
    const key = await tokenOf(api, sessionId, { end_user: { id: "u1", name: "Zoë" } });
    const headers = { origin: "https://app.example.com" };
    const body = say("read", { parts: [{ type: "text", text: "read" }, inlineFile] });
    const sending = api.call("POST", pathOf(sessionId), { key, headers, body });
    const { messageId, reply } = await withTurn(sessionId, sending, async (turn) => {
      const resumed = await watchRaw(api, pathOf(sessionId, "ai-sdk/stream"), { key, headers });
      await done(turn);
      await resumed.done;
      expect(typesIn({ text: resumed.text() })).toEqual(expect.arrayContaining(["start", "text-delta", "finish"]));
    });
    expect(typesIn(reply).at(-1)).toBe("finish");
    expect(reply.headers.get("access-control-allow-origin")).toBe(headers.origin);
    const stamp = { session_token_id: expect.stringMatching(/^stok_/), end_user_id: "u1", end_user_name: "Zoë" };
    expect((await record(messageId))["metadata"]).toEqual(stamp);
    const loaded = await api.call("GET", pathOf(sessionId, "ai-sdk/messages"), { key, headers });
    const { messages } = loaded.json as { messages: { parts: Chunk[] }[] };
    const file = messages[0]?.parts[1];
    expect((await api.call("GET", String(file?.["url"]), { key, headers })).text).toBe("hi");
    expect((await api.call("GET", pathOf(sessionId, "ai-sdk/stream"), { key, headers })).status).toBe(204);
    // The file is one of the session now, so it can be sent again.
    const again = say("again", { parts: [{ type: "text", text: "again" }, file] });
    await withTurn(sessionId, post(pathOf(sessionId), key, again), done);
  });

  test("it answers a question on both routes, and abandons one", async () => {
    const sessionId = await newSession();
    const key = await tokenOf(api, sessionId);
    const asked = await withTurn(sessionId, post(pathOf(sessionId), key, say("refund")), ask);
    const answer = post(pathOf(sessionId), key, approving(asked.messageId));
    expect(typesIn((await withTurn(sessionId, answer, done)).reply).at(-1)).toBe("finish");
    const [first, second] = [runWith("refund"), runWith("refund")];
    const one = await withTurn(sessionId, post(pathOf(sessionId, "ag-ui"), key, first), ask);
    const resolved = run(resuming(one.messageId, "resolved", { approved: true }));
    await withTurn(sessionId, post(pathOf(sessionId, "ag-ui"), key, resolved), done);
    const two = await withTurn(sessionId, post(pathOf(sessionId, "ag-ui"), key, second), ask);
    const stopped = await post(pathOf(sessionId, "ag-ui"), key, run(resuming(two.messageId, "cancelled")));
    expect(chunksIn(stopped).at(-1)).toMatchObject({ outcome: { type: "cancelled" } });
    expect((await record(two.messageId))["status"]).toBe("cancelled");
  });

  test("the same id of another end user, or of the server, is another message", async () => {
    const sessionId = await newSession();
    const [ann, bob] = await Promise.all(["ann", "bob"].map((id) => tokenOf(api, sessionId, { end_user: { id } })));
    const body = say("hello");
    const ids: string[] = [];
    for (const key of [ann!, bob!, api.org.apiKey]) {
      ids.push((await withTurn(sessionId, post(pathOf(sessionId), key, body), done)).messageId);
    }
    expect(new Set(ids).size).toBe(3);
    const renewed = await tokenOf(api, sessionId, { end_user: { id: "ann" } });
    const again = await post(pathOf(sessionId), renewed, body);
    expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([200, "true"]);
    expect(chunksIn(again)[0]).toMatchObject({ messageId: ids[0]!.replace("msg", "resp") });
  });

  test("metadata of its own is refused on both routes, before anything happens", async () => {
    const sessionId = await newSession();
    const key = await tokenOf(api, sessionId);
    const { messageId } = await withTurn(sessionId, post(pathOf(sessionId), key, say("refund")), ask);
    const before = await keptRows();
    const metadata = { role: "admin" };
    const abandoning = { ...runWith("x", { metadata }), ...resuming(messageId, "cancelled") };
    for (const [path, body, where] of [
      [pathOf(sessionId), say("x", { metadata, parts: [inlineFile] }), "message.metadata"],
      [pathOf(sessionId, "ag-ui"), abandoning, "messages[0].metadata"],
    ] as const) {
      const { status, json } = await post(path, key, body);
      expect([status, json.detail]).toEqual([422, `${where}: a session token cannot set it: agents trust it`]);
    }
    expect(await keptRows()).toEqual(before);
    await api.call("POST", `/v1/messages/${messageId}/cancel`, { key });
  });

  test("it sends a failed or cancelled message again, but does not roll the session back", async () => {
    const sessionId = await newSession();
    const key = await tokenOf(api, sessionId, { end_user: { id: "u1" } });
    const trusted = say("first", { metadata: { role: "admin" } });
    const first = await withTurn(sessionId, post(pathOf(sessionId), api.org.apiKey, trusted), done);
    const regenerate = { trigger: "regenerate-message" };
    await withTurn(sessionId, post(pathOf(sessionId), api.org.apiKey, say("second", { metadata: { a: 1 } })), fail);
    const again = await withTurn(sessionId, post(pathOf(sessionId), key, regenerate), done);
    // The token speaks for its own end user, also with the words of the server.
    const stamp = { session_token_id: expect.any(String), end_user_id: "u1" };
    expect(await record(again.messageId)).toMatchObject({ parts: [{ text: "second" }], metadata: stamp });
    expect((await record(again.messageId))["metadata"]).not.toHaveProperty("a");
    const before = await keptRows();
    const edit = { messages: [{ ...say("other").message, id: again.messageId }], messageId: again.messageId };
    const older = { ...regenerate, messageId: first.messageId.replace("msg", "resp") };
    for (const body of [regenerate, edit, older]) {
      const { status, json } = await post(pathOf(sessionId), key, body);
      expect([status, json.code]).toEqual([403, "forbidden"]);
      expect(json.detail).toContain("a session token cannot roll the session back");
    }
    expect(await keptRows()).toEqual(before);
  });
});

test("a token that can only read changes nothing, at any route of that scope", async () => {
  const sessionId = await newSession();
  const all = await tokenOf(api, sessionId);
  const failed = await withTurn(sessionId, post(pathOf(sessionId), all, say("one")), fail);
  const { messageId } = await withTurn(sessionId, post(pathOf(sessionId), all, say("refund")), ask);
  const key = await tokenOf(api, sessionId, { scopes: ["read"] });
  const changing = (Object.keys(routes) as RouteName[]).filter((name) => {
    const route: Route = routes[name];
    return tokenScopeOf(name) === "read" && route.method !== "GET";
  });
  const bodies: Partial<Record<RouteName, readonly (readonly [scope: string, body: object])[]>> = {
    sendUiMessage: [
      ["send", say("x")],
      ["upload", say("x", { parts: [inlineFile] })],
      ["answer", approving(messageId)],
    ],
    runAgUi: [
      ["send", runWith("x")],
      ["upload", runWith([{ type: "image", source: { type: "data", value: "aGk=", mimeType: "image/png" } }])],
      ["answer", run(resuming(messageId, "resolved", { approved: true }))],
      ["cancel", run(resuming(messageId, "cancelled"))],
    ],
  };
  expect(Object.keys(bodies).sort()).toEqual([...changing].sort());
  const before = await keptRows();
  for (const name of changing) {
    for (const [scope, body] of bodies[name] ?? []) {
      const path = routes[name].path.replace("{session_id}", sessionId);
      const { status, json } = await post(path, key, body);
      expect([name, scope, status, json.detail]).toEqual([
        name,
        scope,
        403,
        expect.stringContaining(`the session token does not have the scope '${scope}'`),
      ]);
    }
  }
  expect(await keptRows()).toEqual(before);
  expect(chunksIn(await post(pathOf(sessionId, "ag-ui"), key, run({})))[1]).toMatchObject({
    messages: [{ id: failed.messageId }, { id: messageId }],
  });
  // A token that cannot read uses neither route: each reply shows a turn.
  for (const scopes of [["send"], ["answer"]] as const) {
    const other = await tokenOf(api, sessionId, { scopes: [...scopes] });
    for (const [path, body] of [
      [pathOf(sessionId), say("x")],
      [pathOf(sessionId, "ag-ui"), runWith("x")],
    ] as const) {
      expect((await post(path, other, body)).json.detail).toContain("does not have the scope 'read'");
    }
  }
  expect((await api.call("POST", `/v1/messages/${messageId}/cancel`, { key: all })).status).toBe(200);
});

test("a regenerated message needs `send`", async () => {
  const sessionId = await newSession();
  await withTurn(sessionId, post(pathOf(sessionId), api.org.apiKey, say("one")), fail);
  const key = await tokenOf(api, sessionId, { scopes: ["read", "cancel"] });
  const { status, json } = await post(pathOf(sessionId), key, { trigger: "regenerate-message" });
  expect([status, json.detail]).toEqual([403, expect.stringContaining("the scope 'send'")]);
});

test("what a body names of another session is as unknown as what does not exist, and nothing changes", async () => {
  const sessionId = await newSession();
  const key = await tokenOf(api, sessionId);
  const { organizationId } = api.org;
  const otherSession = await newSession();
  const asked = await withTurn(otherSession, post(pathOf(otherSession), api.org.apiKey, say("secret")), ask);
  const theirs = await createTestAgent(api.db, api.stranger.organizationId);
  const theirSession = await createTestSession(api.db, api.stranger.organizationId, theirs.agentId);
  const foreign: readonly Ids[] = [
    { message_id: asked.messageId, file_id: await createTestFile(api.db, organizationId) },
    {
      message_id: await createTestMessage(api.db, api.stranger.organizationId, theirSession),
      file_id: await createTestFile(api.db, api.stranger.organizationId),
    },
  ];
  const requests: readonly ((ids: Ids) => Promise<TestReply>)[] = [
    ({ file_id }) =>
      post(pathOf(sessionId), key, say("x", { parts: [{ ...inlineFile, url: `/v1/files/${file_id}/content` }] })),
    ({ message_id }) => post(pathOf(sessionId), key, approving(message_id)),
    ({ message_id }) => {
      const { message } = approving(unknown["message_id"]);
      return post(pathOf(sessionId), key, { message: { ...message, id: String(message_id).replace("msg", "resp") } });
    },
    ({ message_id }) => post(pathOf(sessionId), key, { trigger: "regenerate-message", messageId: message_id }),
    ({ message_id }) =>
      post(pathOf(sessionId), key, { messageId: message_id, message: { ...say("x").message, id: message_id } }),
    ({ message_id }) => api.call("GET", pathOf(sessionId, `ai-sdk/messages?before=${message_id}`), { key }),
    ({ file_id }) =>
      post(
        pathOf(sessionId, "ag-ui"),
        key,
        runWith([{ type: "image", source: { type: "file", value: file_id, mimeType: "image/png" } }]),
      ),
    ({ message_id }) =>
      post(pathOf(sessionId, "ag-ui"), key, run(resuming(message_id, "resolved", { approved: true }))),
    ({ message_id }) => post(pathOf(sessionId, "ag-ui"), key, run(resuming(message_id, "cancelled"))),
    ({ message_id }) =>
      post(pathOf(sessionId, "ag-ui"), key, run({ messages: [{ id: message_id, role: "user", content: "x" }] })),
  ];
  const before = await keptRows();
  for (const [index, request] of requests.entries()) {
    const nobodys = await request(unknown);
    expect([index, [404, 422].includes(nobodys.status), nobodys.text]).toEqual([index, true, nobodys.text]);
    for (const ids of foreign) {
      const reply = await request(ids);
      expect([index, withoutIds(reply, ids)]).toEqual([index, withoutIds(nobodys, unknown)]);
    }
  }
  expect(await keptRows()).toEqual(before);
});
