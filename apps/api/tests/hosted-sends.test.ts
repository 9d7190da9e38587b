// The hosted service's later ways to send a message: as an event of a session, and together with a new session.

import { routes, validate } from "@dari/contract";
import { createTestAgent, createTestFile, createTestSession } from "@dari/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";

let api: TestApi;
let agentId: string;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => api[Symbol.asyncDispose]());
beforeEach(async () => {
  agentId = (await createTestAgent(api.db, api.org.organizationId)).agentId;
});

const content = [{ type: "text", text: "hello" }];
const hello = { type: "user.message", content };

describe("a message that is sent as an event", () => {
  test("is queued in its session, and answered with its event", async () => {
    const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
    const sent = await api.call("POST", `/v1/sessions/${sessionId}/events`, {
      body: { ...hello, metadata: { ticket: "T-1" } },
    });
    expect([sent.status, validate(routes.sendSessionEvent.reply, sent.json)]).toEqual([202, []]);
    expect(sent.json).toMatchObject({
      event: { type: "user.message", session_id: sessionId, data: { parts: content } },
      message: { status: "queued", parts: content, metadata: { ticket: "T-1" } },
      session: { id: sessionId, status: "active" },
    });
    const { event, message } = sent.json as { event: { message_id: string }; message: { id: string } };
    expect(event.message_id).toBe(message.id);
    const listed = await api.call("GET", `/v1/sessions/${sessionId}/events`);
    expect(listed.json["events"]).toContainEqual(event);
  });

  test("is sent once for one idempotency key", async () => {
    const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
    const send = () =>
      api.call("POST", `/v1/sessions/${sessionId}/events`, { body: hello, headers: { "idempotency-key": "once" } });
    const [first, again] = [await send(), await send()];
    expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([202, "true"]);
    expect(again.json["event"]).toEqual(first.json["event"]);
    const { rows } = await api.db.pool.query("select 1 from messages where session_id = $1", [sessionId]);
    expect(rows).toHaveLength(1);
  });
});

describe("a message that is sent to an agent", () => {
  const messagesOf = (id = agentId) => `/v1/agents/${id}/messages`;

  test("starts a session and is queued in it", async () => {
    const session = { name: "triage", metadata: { team: "a" }, secrets: { A_KEY: "x" } };
    const sent = await api.call("POST", messagesOf(agentId.replace("agt_", "dep_")), {
      body: { ...hello, session },
    });
    expect([sent.status, validate(routes.sendAgentMessage.reply, sent.json)]).toEqual([202, []]);
    expect(sent.json).toMatchObject({
      event: { type: "user.message", data: { parts: content } },
      message: { status: "queued" },
      session: { agent_id: agentId, name: "triage", metadata: { team: "a" }, status: "active" },
    });
    const plain = await api.call("POST", messagesOf(), { body: hello });
    expect(plain.json).toMatchObject({ session: { name: null } });
  });

  test("that is refused starts no session", async () => {
    const file_id = await createTestFile(api.db, api.stranger.organizationId);
    const refused = await api.call("POST", messagesOf(), {
      body: { ...hello, content: [...content, { type: "file", file_id }] },
    });
    expect([refused.status, refused.json["errors"]]).toEqual([
      422,
      [{ path: "content[1].file_id", message: "file not found" }],
    ]);
    expect((await api.call("GET", `/v1/agents/${agentId}/sessions`)).json["sessions"]).toEqual([]);
  });

  test("starts one session for one idempotency key", async () => {
    const send = () => api.call("POST", messagesOf(), { body: hello, headers: { "idempotency-key": agentId } });
    const [first, again] = [await send(), await send()];
    expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([202, "true"]);
    expect(again.json["session"]).toEqual(first.json["session"]);
    expect((await api.call("GET", `/v1/agents/${agentId}/sessions`)).json["sessions"]).toHaveLength(1);
  });

  test("counts as a message of the organization, as every message does", async () => {
    await using bounded = await startTestApi({ rates: { messages: 1 } });
    const agent = await createTestAgent(bounded.db, bounded.org.organizationId);
    const send = () => bounded.call("POST", messagesOf(agent.agentId), { body: hello });
    expect([(await send()).status, (await send()).status]).toEqual([202, 429]);
  });
});
