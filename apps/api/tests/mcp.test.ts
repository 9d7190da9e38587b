// The MCP server over HTTP, with unmodified clients of both protocols. The tests run the turns themselves.

import type { ClaimedTurn } from "@dari/db";
import { createTestAgent, createTestSession, testManifest, waitUntil } from "@dari/testkit";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startApi } from "../src/index.ts";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import { askIn, decision } from "./chat-client-turns.ts";
import { connectMcp, currentProtocol, earlierProtocol, type ToolAnswer } from "./mcp-client.ts";
import { callTool, complete, finish } from "./turn.ts";
import { claimIn } from "./watching.ts";

let api: TestApi;
let agentId: string;
beforeAll(async () => {
  api = await startTestApi();
  ({ agentId } = await createTestAgent(api.db, api.org.organizationId));
});
afterAll(async () => api[Symbol.asyncDispose]());

const createSession = () => createTestSession(api.db, api.org.organizationId, agentId);
const protocols = [currentProtocol, earlierProtocol] as const;

/** Calls a tool whose turn this test runs. */
async function withTurn(
  sessionId: string,
  calling: Promise<ToolAnswer>,
  run: (turn: ClaimedTurn) => Promise<unknown>,
): Promise<ToolAnswer> {
  await run(await claimIn(api, sessionId));
  return calling;
}

const statusOf = async (messageId: unknown) => (await api.call("GET", `/v1/messages/${messageId}`)).json["status"];
const messagesOf = async (sessionId: string) =>
  (await api.call("GET", `/v1/sessions/${sessionId}/messages`)).json.data as { id: string; status: string }[];

describe.each(protocols)("protocol %s", (protocol) => {
  test("the tools are those of the command, with their arguments", async () => {
    await using client = await connectMcp(api, { protocol });
    const listed = await client.listTools();
    expect(listed.map(({ name }) => name)).toEqual([
      "list_agents",
      "list_sessions",
      "create_session",
      "send_message",
      "get_message",
      "answer_message",
      "list_messages",
      "list_files",
      "read_file",
    ]);
    expect(listed.every(({ inputSchema }) => (inputSchema as { type: string }).type === "object")).toBe(true);
  });

  test("a conversation: an agent, a session, a message, its files", async () => {
    await using client = await connectMcp(api, { protocol });
    const { agents } = (await client.call("list_agents")).json as { agents: { id: string; name: string }[] };
    const name = String(agents.find(({ id }) => id === agentId)?.name);
    const session = (await client.call("create_session", { agent_id: name, name: "talk" })).json;
    expect(session).toMatchObject({ agent_id: agentId, name: "talk" });
    const sessionId = String(session["id"]);
    const input = { session_id: sessionId, text: "hello", lane: "background" };
    const answer = await withTurn(sessionId, client.call("send_message", input), (turn) =>
      complete(api, turn, { files: { "note.txt": "hi", "bytes.bin": new Uint8Array([255, 254]) } }),
    );
    expect(answer).toMatchObject({ isError: false, json: { status: "completed", asked: "hello", answer: "done" } });
    expect(answer.json["files_changed"]).toEqual(["created /bytes.bin", "created /note.txt"]);
    const { messages } = (await client.call("list_messages", { session_id: sessionId })).json;
    expect(messages).toMatchObject([{ id: answer.json["id"], answer: "done" }]);
    const { sessions } = (await client.call("list_sessions", { agent_id: name, limit: 5 })).json;
    expect(sessions).toEqual(expect.arrayContaining([expect.objectContaining({ id: sessionId })]));
    expect((await client.call("list_files", { session_id: sessionId })).json).toMatchObject({ path: "/" });
    expect((await client.call("read_file", { session_id: sessionId, path: "/note.txt" })).text).toBe("hi");
    expect(await client.call("read_file", { session_id: sessionId, path: "/bytes.bin" })).toMatchObject({
      isError: true,
      text: "/bytes.bin is not text: 2 bytes that are not UTF-8",
    });
  });

  test("a long turn is reported, and can be waited for again", async () => {
    await using client = await connectMcp(api, { protocol });
    const sessionId = await createSession();
    const told: string[] = [];
    const onProgress = (message: string): void => void told.push(message);
    const sending = client.call(
      "send_message",
      { session_id: sessionId, text: "slow", wait_seconds: 3 },
      { onProgress },
    );
    const turn = await claimIn(api, sessionId);
    await callTool(api, turn);
    await waitUntil(() => told.includes(`${turn.messageId} calls read`), { what: "the tool call to be reported" });
    expect(told[0]).toMatch(`${turn.messageId} is `);
    expect(await sending).toMatchObject({ isError: false, json: { id: turn.messageId, status: "running" } });
    const waiting = client.call("get_message", { message_id: turn.messageId });
    await complete(api, turn);
    expect((await waiting).json).toMatchObject({ status: "completed", answer: "done" });
  });

  test("a client that hangs up does not cancel the turn", async () => {
    await using client = await connectMcp(api, { protocol });
    const sessionId = await createSession();
    const over = new AbortController();
    const sending = client.call("send_message", { session_id: sessionId, text: "x" }, { signal: over.signal });
    sending.catch(() => undefined);
    const turn = await claimIn(api, sessionId);
    over.abort();
    await expect(sending).rejects.toThrow();
    await complete(api, turn);
    expect(await statusOf(turn.messageId)).toBe("completed");
  });

  test("a merged message ends with the message that took it", async () => {
    await using client = await connectMcp(api, { protocol });
    const sessionId = await createSession();
    await api.call("POST", `/v1/sessions/${sessionId}/messages/async`, {
      body: { parts: [{ type: "text", text: "0" }] },
    });
    const first = await claimIn(api, sessionId);
    const merging = (text: string) => client.call("send_message", { session_id: sessionId, text, on_busy: "merge" });
    const one = merging("1");
    await waitUntil(async () => (await messagesOf(sessionId)).length === 2, { what: "the first to wait" });
    const two = merging("2");
    await waitUntil(async () => (await messagesOf(sessionId)).length === 3, { what: "the second to be merged" });
    await complete(api, first);
    await complete(api, await claimIn(api, sessionId));
    const [left, right] = await Promise.all([one, two]);
    expect([left.json["status"], left.json["id"]]).toEqual(["completed", right.json["id"]]);
  });

  test("a failed turn is an answer; what cannot be done is an error with the platform's words", async () => {
    await using client = await connectMcp(api, { protocol });
    const sessionId = await createSession();
    const failure = { code: "agent_error", message: "as asked" } as const;
    const sending = client.call("send_message", { session_id: sessionId, text: "fail" });
    const failed = await withTurn(sessionId, sending, (turn) => finish(api, turn, { ending: "failed", failure }));
    expect(failed).toMatchObject({ isError: false, json: { status: "failed", error: { code: "agent_error" } } });
    expect(await client.call("send_message", { session_id: sessionId })).toMatchObject({
      isError: true,
      text: "text: field is required",
    });
    const refusals = [
      [await client.call("create_session", { agent_id: "sess_1" }), "expected an id that starts with 'agt_'"],
      [await client.call("create_session", { agent_id: "nobody" }), "agent not found"],
      [await client.call("get_message", { message_id: "sess_1" }), "expected an id that starts with 'msg_'"],
      [await client.call("read_file", { session_id: sessionId, path: "/nowhere" }), "not found"],
      [await client.call("delete_everything"), "there is no tool delete_everything"],
    ] as const;
    for (const [answer, text] of refusals)
      expect(answer).toMatchObject({ isError: true, text: expect.stringContaining(text) });
  });

  test("a client that cannot ask gets what the message waits for, and answers with a tool", async () => {
    await using client = await connectMcp(api, { protocol });
    const sessionId = await createSession();
    const sending = client.call("send_message", { session_id: sessionId, text: "ask", wait_seconds: 600 });
    const asked = (await withTurn(sessionId, sending, (turn) => askIn(api, turn))).json;
    expect(asked).toMatchObject({ status: "waiting_for_input", waits_for: { key: "refund", prompt: "May I?" } });
    const named = { message_id: asked["id"], key: "refund" };
    const wrong = await client.call("answer_message", { ...named, value: { approved: "yes" } });
    expect(wrong).toMatchObject({ isError: true, text: "value.approved: expected true or false" });
    const answering = client.call("answer_message", { ...named, value: { approved: true } });
    const answered = await withTurn(sessionId, answering, (turn) => complete(api, turn));
    expect(answered.json).toMatchObject({ id: asked["id"], status: "completed" });
  });
});

describe("a client that can ask a person", () => {
  test("of the current protocol asks once, and the call goes on with the answer, at any process", async () => {
    const questions: unknown[] = [];
    const other = await startApi({ control: api.control, host: "127.0.0.1", port: 0, graceMs: 2_000 });
    try {
      let served = 0;
      // Every second request goes to the other process.
      const balanced = (input: string | URL | Request, init?: RequestInit) => {
        const { pathname } = new URL(input instanceof Request ? input.url : input);
        return fetch(`${(served += 1) % 2 === 0 ? other.url : api.url}${pathname}`, init);
      };
      const answer = (question: object) => (
        questions.push(question),
        { action: "accept", content: { approved: true } }
      );
      await using client = await connectMcp(api, { answer, fetch: balanced });
      const sessionId = await createSession();
      const sending = client.call("send_message", { session_id: sessionId, text: "ask", wait_seconds: 600 });
      await askIn(api, await claimIn(api, sessionId));
      const answered = await withTurn(sessionId, sending, (turn) => complete(api, turn));
      expect(answered.json).toMatchObject({ status: "completed", answer: "done" });
      const { properties, required } = decision;
      expect(questions).toMatchObject([
        { message: "May I?", requestedSchema: { type: "object", properties, required } },
      ]);
      expect(await messagesOf(sessionId)).toHaveLength(1);
      const { data } = (await api.call("GET", `/v1/sessions/${sessionId}/events`)).json;
      const submitted = (data as { type: string; data: object }[]).filter(({ type }) => type === "input.submitted");
      expect(submitted).toMatchObject([{ data: { key: "refund", value: { approved: true } } }]);
    } finally {
      await other.close();
    }
  });

  test("gets the question as data if the person does not answer", async () => {
    await using client = await connectMcp(api, { answer: () => ({ action: "decline" }) });
    const sessionId = await createSession();
    const sending = client.call("send_message", { session_id: sessionId, text: "ask", wait_seconds: 600 });
    const declined = (await withTurn(sessionId, sending, (turn) => askIn(api, turn))).json;
    expect(declined).toMatchObject({ status: "waiting_for_input", waits_for: { key: "refund" } });
    expect(declined["note"]).toBe("the person was asked and did not answer");
    expect(await messagesOf(sessionId)).toHaveLength(1);
  });

  test("of the earlier protocol gets the question as data: the next request can reach another process", async () => {
    const answer = () => ({ action: "accept", content: { approved: true } });
    await using client = await connectMcp(api, { protocol: earlierProtocol, answer });
    const sessionId = await createSession();
    const sending = client.call("send_message", { session_id: sessionId, text: "ask", wait_seconds: 600 });
    const asked = (await withTurn(sessionId, sending, (turn) => askIn(api, turn))).json;
    expect(asked).toMatchObject({ status: "waiting_for_input", waits_for: { key: "refund" } });
  });
});

describe("agents as tools", () => {
  const rename = (id: string, name: string) => api.call("PATCH", `/v1/agents/${id}`, { body: { name } });

  test.each(protocols)("%s: each has its name and description, and a conversation of its own", async (protocol) => {
    const description = "Answers questions about bills.";
    const manifest = { ...testManifest, description };
    const support = (await createTestAgent(api.db, api.org.organizationId, { manifest })).agentId;
    const name = `support ${protocol}`;
    expect(await rename(support, name)).toMatchObject({ status: 200, json: { description } });
    await using general = await connectMcp(api, { protocol });
    const { agents } = (await general.call("list_agents")).json as { agents: { id: string }[] };
    const shown = { id: support, name, description, active_version_id: expect.any(String) };
    expect(agents.find(({ id }) => id === support)).toEqual(shown);
    expect(agents.find(({ id }) => id === agentId)).not.toHaveProperty("description");
    await using client = await connectMcp(api, { protocol, query: `?agents=${encodeURIComponent(name)},${agentId}` });
    const [first, second, ...rest] = await client.listTools();
    const tool = `support_${protocol}`;
    expect(first).toMatchObject({ name: tool, description });
    expect(second?.description).toMatch(/^Send a text to the agent "test-agent/);
    expect(rest.map((one) => one.name)).toEqual(["get_message", "answer_message", "list_messages"]);

    const calling = client.call(tool, { text: "hello" });
    const open = async () => (await api.call("GET", `/v1/sessions?agent_id=${support}`)).json.data as { id: string }[];
    await waitUntil(async () => (await open()).length === 1, { what: "the session" });
    const sessionId = String((await open())[0]?.id);
    const answered = await withTurn(sessionId, calling, (turn) => complete(api, turn));
    expect(answered.json).toMatchObject({ session_id: sessionId, answer: "done", status: "completed" });
    const again = client.call(tool, { text: "more", session_id: sessionId });
    await withTurn(sessionId, again, (turn) => complete(api, turn));
    expect(await messagesOf(sessionId)).toHaveLength(2);
    const foreign = await client.call(tool, { text: "x", session_id: await createSession() });
    expect(foreign).toMatchObject({
      isError: true,
      text: `session_id: the session belongs to another agent than ${name}`,
    });
    expect(await client.call("list_agents")).toMatchObject({ isError: true });
  });

  test("missing agents are left out, equal names become ids, repeats count once, too many are refused", async () => {
    const twin = async (name: string) => {
      const { agentId: id } = await createTestAgent(api.db, api.org.organizationId);
      expect((await rename(id, name)).status).toBe(200);
      return id;
    };
    const [, second, third] = await Promise.all([twin("a b"), twin("a+b"), twin("get_message")]);
    const list = async (agents: string) => {
      await using client = await connectMcp(api, { query: `?agents=${encodeURIComponent(agents)}` });
      return (await client.listTools()).map(({ name }) => name);
    };
    const common = ["get_message", "answer_message", "list_messages"];
    expect(await list("nobody,a b,a+b,get_message,agt_x")).toEqual(["a_b", second, third, ...common]);
    expect(await list(`${second},a+b,${second.replace("agt_", "dep_")}`)).toEqual(["a_b", ...common]);
    const body = { jsonrpc: "2.0", id: 1, method: "tools/list" };
    for (const agents of [",", Array.from({ length: 21 }, (_, at) => `a${at}`).join(",")]) {
      const reply = await api.call("POST", `/mcp?agents=${agents}`, { body });
      const message = "expected 1 to 20 names or ids, separated by commas";
      expect([reply.status, reply.json["errors"]]).toEqual([422, [{ path: "agents", message }]]);
    }
  });

  test("an agent that was deleted does not break the tools of the others", async () => {
    const { agentId: gone } = await createTestAgent(api.db, api.org.organizationId);
    await rename(gone, "gone-soon");
    await using client = await connectMcp(api, { query: `?agents=gone-soon,${agentId}` });
    const names = (await client.listTools()).map((one) => one.name);
    expect((await api.call("DELETE", `/v1/agents/${gone}`)).status).toBe(200);
    expect(await client.call("gone-soon", { text: "x" })).toMatchObject({
      isError: true,
      text: expect.stringContaining("there is no tool gone-soon"),
    });
    const left = await client.call(String(names[1]), { text: "hello", wait_seconds: 0 });
    expect(left).toMatchObject({
      isError: false,
      json: { status: expect.any(String), session_id: expect.any(String) },
    });
  });
});
