// Answers to inputs of messages, as clients see them. The tests end the turns themselves.

import { routes, validate } from "@dari/contract";
import { askForLimit } from "@dari/control/turns";
import { dispatch, findViolations, snapshots } from "@dari/db";
import { failure, newId } from "@dari/domain";
import { createTestAgent, createTestKey, createTestMessage, createTestSession } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type CallOptions, type TestApi, type TestReply } from "./api-fixture.ts";
import { tokenOf } from "./session-token-fixture.ts";
import { claim, finish } from "./turn.ts";

let api: TestApi;
let agentId: string;
beforeAll(async () => {
  api = await startTestApi({ settings: { syncWaitMs: 30_000 } });
  agentId = (await createTestAgent(api.db, api.org.organizationId)).agentId;
});
afterAll(async () => {
  expect(await findViolations(api.db)).toEqual([]);
  await api[Symbol.asyncDispose]();
});

const schema = { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"] };
const approved = { key: "approve", value: { ok: true } };

async function suspend(output?: { readonly usage: object }): Promise<{ sessionId: string; messageId: string }> {
  const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
  const messageId = await createTestMessage(api.db, api.org.organizationId, sessionId);
  const turn = await claim(api);
  const parentId = (await snapshots.findHeadSnapshotId(api.db, api.org.organizationId, sessionId)) ?? null;
  const empty = { objectKey: null, isFull: true, deltaDepth: 0, treeHash: "x", sizeBytes: 0, files: 0, totalBytes: 0 };
  await finish(api, turn, {
    ending: "suspended",
    output,
    asked: { key: "approve", schema, prompt: "may I?", waitSeconds: 600, placed: [] },
    snapshot: { id: newId("snapshot"), parentId, ...empty },
  });
  return { sessionId, messageId };
}

function answer(messageId: string, body: unknown, options: CallOptions = {}): Promise<TestReply> {
  return api.call("POST", `/v1/messages/${messageId}/inputs`, { body, ...options });
}

test("runs of one attempt share its number in the logs and the events, and each reports its usage", async () => {
  const used = (tokens: number) => ({ usage: { requests: 1, input_tokens: tokens, output_tokens: 1 } });
  const { sessionId, messageId } = await suspend(used(7));
  expect((await answer(messageId, approved)).status).toBe(202);
  await dispatch.dispatchIfReady(api.db, [{ organizationId: api.org.organizationId, count: 1 }], 60_000);
  const last = { failure: failure("timeout", "too long"), output: used(5) };
  await finish(api, await claim(api), { ending: "failed", ...last });
  const { text } = await api.call("GET", `/v1/messages/${messageId}/logs`);
  expect(text).toBe("== attempt 1\n== attempt 1, continued\n");
  const events = await api.call("GET", `/v1/sessions/${sessionId}/events`);
  const data = (events.json.data as { type: string; data: object }[]).filter(({ type }) => type.startsWith("attempt."));
  expect(data.map((event) => event.data)).toEqual([
    { number: 1 },
    { outcome: "suspended", ...used(7) },
    { number: 1 },
    { outcome: "failed", error: expect.objectContaining({ code: "timeout" }), ...used(5) },
  ]);
});

test("the record has the question; an answer is accepted once, and is in the audit log", async () => {
  const { sessionId, messageId } = await suspend();
  const waiting = await api.call("GET", `/v1/messages/${messageId}`);
  expect(validate(routes.getMessage.reply, waiting.json)).toEqual([]);
  expect(waiting.json).toMatchObject({
    status: "waiting_for_input",
    waiting_reason: "input",
    inputs: [{ key: "approve", status: "waiting", schema, prompt: "may I?", ended_at: null }],
  });
  const reply = await answer(messageId, approved);
  expect(reply.status).toBe(202);
  expect(validate(routes.answerInput.reply, reply.json)).toEqual([]);
  expect(reply.json).toMatchObject({ id: messageId, status: "queued", inputs: [{ status: "answered" }] });
  const again = await answer(messageId, approved);
  expect([again.status, again.json.code]).toEqual([409, "conflict"]);
  const events = await api.call("GET", `/v1/sessions/${sessionId}/events`);
  expect(events.json.data).toContainEqual(expect.objectContaining({ type: "input.submitted", data: approved }));
  const log = await api.call("GET", "/v1/organizations/current/audit-log");
  expect(log.json.data).toContainEqual(
    expect.objectContaining({ action: "message.answer", target: messageId, details: { key: "approve" } }),
  );
});

test("an answer that does not satisfy the schema says where, and can be given again", async () => {
  const { messageId } = await suspend();
  const refused = await answer(messageId, { key: "approve", value: { ok: "yes" } });
  expect([refused.status, refused.json["errors"]]).toEqual([
    422,
    [{ path: "value.ok", message: "expected true or false" }],
  ]);
  const other = await answer(messageId, { ...approved, key: "deploy" });
  expect([other.status, other.json.code]).toEqual([409, "conflict"]);
  expect((await answer(messageId, approved)).status).toBe(202);
});

test("equal calls under one Idempotency-Key answer once, another body under it is refused", async () => {
  const { messageId } = await suspend();
  const headers = { "idempotency-key": newId("message") };
  const replies = await Promise.all(Array.from({ length: 5 }, () => answer(messageId, approved, { headers })));
  expect(replies.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202]);
  expect(replies.filter((reply) => reply.headers.get("idempotent-replayed") === "true")).toHaveLength(4);
  const other = await answer(messageId, { ...approved, value: { ok: false } }, { headers });
  expect([other.status, other.json.code]).toEqual([409, "idempotency_key_reused"]);
});

test("only callers with the scope run can answer", async () => {
  const { messageId } = await suspend();
  const { apiKey: key } = await createTestKey(api.db, api.org.organizationId, ["read"]);
  expect((await answer(messageId, approved, { key })).status).toBe(403);
  expect((await answer(messageId, approved, { key: null })).status).toBe(401);
  expect((await answer(messageId, approved, { key: api.stranger.apiKey })).status).toBe(404);
  expect((await answer(newId("message"), approved)).status).toBe(404);
});

test("a cancelled message no longer waits", async () => {
  const { messageId } = await suspend();
  const cancelled = await api.call("POST", `/v1/messages/${messageId}/cancel`);
  expect(cancelled.json).toMatchObject({ status: "cancelled", inputs: [{ status: "cancelled" }] });
  const late = await answer(messageId, approved);
  expect([late.status, late.json.code]).toEqual([409, "conflict"]);
});

test("the workspace of a session that waits cannot be changed by clients", async () => {
  const { sessionId } = await suspend();
  const written = await api.call("PUT", `/v1/sessions/${sessionId}/files/content?path=/a.txt`, {
    body: Buffer.from("x"),
    headers: { "content-type": "application/octet-stream" },
  });
  expect([written.status, written.json.code]).toEqual([409, "session_busy"]);
});

async function reachLimit(): Promise<{ sessionId: string; messageId: string }> {
  const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
  const messageId = await createTestMessage(api.db, api.org.organizationId, sessionId);
  const reached = { limit: "requests", used: 3, requested: 1, text: "limit reached" } as const;
  const asked = askForLimit({ requests: 3 }, reached)!;
  await finish(api, await claim(api), {
    ending: "suspended",
    asked: { ...asked, key: "", placed: [] },
    failure: failure("budget_exceeded", "limit reached: 3 of 3"),
  });
  return { sessionId, messageId };
}

const raised = { key: "dari:budget-1", value: { approved: true, requests: 8 } };

test("a limit is raised by who may answer, above what the request needs", async () => {
  const { messageId } = await reachLimit();
  const waiting = await api.call("GET", `/v1/messages/${messageId}`);
  expect(validate(routes.getMessage.reply, waiting.json)).toEqual([]);
  const budget = { limit: "requests", value: 3, used: 3, requested: 1, needed: 4 };
  expect(waiting.json).toMatchObject({ status: "waiting_for_input", inputs: [{ type: "budget", budget }] });
  const low = await answer(messageId, { ...raised, value: { approved: true, requests: 3 } });
  expect([low.status, low.json["errors"]]).toEqual([422, [{ path: "value.requests", message: "expected at least 4" }]]);
  const { apiKey: key } = await createTestKey(api.db, api.org.organizationId, ["read"]);
  expect((await answer(messageId, raised, { key })).status).toBe(403);
  expect((await answer(messageId, raised, { key: api.stranger.apiKey })).status).toBe(404);
  const reply = await answer(messageId, raised);
  expect([reply.status, reply.json]).toEqual([202, expect.objectContaining({ limits: { requests: 8 } })]);
  expect((await answer(messageId, raised)).status).toBe(409);
});

test("a session token cannot raise a limit, and a refusal fails the message", async () => {
  const { sessionId, messageId } = await reachLimit();
  const key = await tokenOf(api, sessionId, { scopes: ["answer", "read"] });
  const refused = await answer(messageId, raised, { key });
  expect([refused.status, refused.json.code]).toEqual([403, "forbidden"]);
  const reply = await answer(messageId, { ...raised, value: { approved: false } });
  const error = { code: "budget_exceeded", message: "limit reached: 3 of 3" };
  expect([reply.status, reply.json]).toEqual([202, expect.objectContaining({ status: "failed" })]);
  expect(reply.json).toMatchObject({ output: { error }, inputs: [{ status: "answered" }] });
});
