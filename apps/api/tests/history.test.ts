// A session's history over HTTP: forks, retries in a fork, rollbacks, files of failed attempts.

import { routes, validate } from "@dari/contract";
import { findViolations } from "@dari/db";
import { newId } from "@dari/domain";
import { createTestAgent, createTestMessage, createTestSession, createTestVersion } from "@dari/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { claim, complete, fail, type TestWorkspace } from "./turn.ts";

let api: TestApi;
let agentId: string;
let sessionId: string;
beforeAll(async () => {
  api = await startTestApi();
  ({ agentId } = await createTestAgent(api.db, api.org.organizationId, { manifest: oneAttempt }));
});
afterAll(async () => api[Symbol.asyncDispose]());
beforeEach(async () => {
  sessionId = await createTestSession(api.db, api.org.organizationId, agentId, { metadata: { team: "a" } });
});
afterEach(async () => {
  expect(await findViolations(api.db)).toEqual([]);
});

const oneAttempt = {
  name: "test-agent",
  sdk: "opencode",
  entrypoint: "src/agent.js:agent",
  runtime: { language: "typescript", timeout_seconds: 60 },
  retries: { max_attempts: 1 },
  secrets: [],
  env: {},
};

async function run(files: TestWorkspace["files"] = {}, at = sessionId): Promise<string> {
  const messageId = await createTestMessage(api.db, api.org.organizationId, at);
  await complete(api, await claim(api), { files });
  return messageId;
}

async function runAndFail(files: TestWorkspace["files"] = {}): Promise<string> {
  const messageId = await createTestMessage(api.db, api.org.organizationId, sessionId);
  await fail(api, await claim(api), { files });
  return messageId;
}

function fork(body: object = {}, headers: Record<string, string> = {}): Promise<TestReply> {
  return api.call("POST", `/v1/sessions/${sessionId}/fork`, { body, headers });
}

async function pathsOf(session: string): Promise<string[]> {
  const reply = await api.call("GET", `/v1/sessions/${session}/files?recursive=1`);
  return (reply.json["entries"] as { path: string }[]).map((entry) => entry.path);
}

async function messagesOf(session: string): Promise<Record<string, unknown>[]> {
  return (await api.call("GET", `/v1/sessions/${session}/messages`)).json.data as Record<string, unknown>[];
}

test("a fork shows the conversation and the workspace as of the message, and continues separately", async () => {
  const first = await run({ "a.txt": "one" });
  await run({ "a.txt": "two", "b.txt": "b" });
  const forked = await fork({ message_id: first });
  expect(forked.status).toBe(201);
  expect(validate(routes.forkSession.reply, forked.json)).toEqual([]);
  expect(forked.json).toMatchObject({
    status: "idle",
    agent_id: agentId,
    metadata: { team: "a" },
    last_message_status: "completed",
    forked_from: { session_id: sessionId, message_id: first },
  });
  const id = String(forked.json["id"]);
  expect(await pathsOf(id)).toEqual(["/a.txt"]);
  const [copy, ...others] = await messagesOf(id);
  expect([copy?.["copied_from"], copy?.["sequence_number"], others]).toEqual([first, 1, []]);
  expect(validate(routes.getMessage.reply, copy)).toEqual([]);
  const transcript = await api.call("GET", `/v1/sessions/${id}/transcript`);
  expect((transcript.json.data as { kind: string }[]).map((entry) => entry.kind)).toEqual([
    "user",
    "assistant",
    "files",
  ]);
  await run({ "c.txt": "c" }, id);
  expect([await pathsOf(id), await pathsOf(sessionId)]).toEqual([["/c.txt"], ["/a.txt", "/b.txt"]]);
  expect((await messagesOf(sessionId)).length).toBe(2);
});

test("a fork outlives its source session", async () => {
  await run({ "a.txt": "one" });
  const id = String((await fork()).json["id"]);
  expect((await api.call("DELETE", `/v1/sessions/${sessionId}`)).status).toBe(200);
  const content = await api.call("GET", `/v1/sessions/${id}/files/content?path=/a.txt`);
  expect([content.status, content.text]).toEqual([200, "one"]);
  expect((await fork()).status).toBe(404);
});

test("a fork can continue on another version that is ready", async () => {
  const message = await run({ "a.txt": "one" });
  const next = await createTestVersion(api.db, api.org.organizationId, agentId, { manifest: oneAttempt });
  const forked = await fork({ version_id: next.versionId });
  const from = { session_id: sessionId, message_id: message };
  expect(forked.json).toMatchObject({ version_id: next.versionId, forked_from: from });
  expect(await pathsOf(String(forked.json["id"]))).toEqual(["/a.txt"]);
  const building = await createTestVersion(api.db, api.org.organizationId, agentId, { state: "building" });
  expect((await fork({ version_id: building.versionId })).status).toBe(409);
  const other = await createTestAgent(api.db, api.org.organizationId);
  expect((await fork({ version_id: other.versionId })).status).toBe(409);
});

test("repeated forks with one key create one session", async () => {
  await run();
  const headers = { "idempotency-key": newId("message") };
  const replies = await Promise.all(Array.from({ length: 5 }, () => fork({}, headers)));
  expect(new Set(replies.map((reply) => reply.json["id"])).size).toBe(1);
  expect(replies.map((reply) => reply.status)).toEqual([201, 201, 201, 201, 201]);
});

test("a fork needs an ended message of its session", async () => {
  const queued = await createTestMessage(api.db, api.org.organizationId, sessionId);
  const early = await fork({ message_id: queued });
  expect([early.status, early.json.code]).toEqual([409, "conflict"]);
  await complete(api, await claim(api));
  const other = await createTestSession(api.db, api.org.organizationId, agentId);
  const foreign = await run({}, other);
  expect((await fork({ message_id: foreign })).status).toBe(422);
  expect((await fork({ message_id: queued })).status).toBe(201);
});

test("a failed message is sent again in a fork, on another version, and recorded in the audit log", async () => {
  const first = await run({ "a.txt": "one" });
  const failed = await runAndFail({ "half.txt": "half" });
  await run({ "later.txt": "later" });
  const { versionId } = await createTestVersion(api.db, api.org.organizationId, agentId, { manifest: oneAttempt });
  const without = await api.call("POST", `/v1/messages/${failed}/retry`, { body: { version_id: versionId } });
  expect([without.status, without.json["errors"]]).toEqual([
    422,
    [{ path: "version_id", message: expect.any(String) }],
  ]);
  const headers = { "idempotency-key": newId("message") };
  const body = { fork: true, version_id: versionId };
  const retried = await api.call("POST", `/v1/messages/${failed}/retry`, { body, headers });
  expect([retried.status, retried.json["retry_of"], retried.json["status"]]).toEqual([202, failed, "queued"]);
  const again = await api.call("POST", `/v1/messages/${failed}/retry`, { body, headers });
  expect([again.json["id"], again.headers.get("idempotent-replayed")]).toEqual([retried.json["id"], "true"]);
  const id = String(retried.json["session_id"]);
  expect(id).not.toBe(sessionId);
  expect(await pathsOf(id)).toEqual(["/a.txt"]);
  const session = await api.call("GET", `/v1/sessions/${id}`);
  expect(session.json).toMatchObject({
    version_id: versionId,
    forked_from: { session_id: sessionId, message_id: failed },
  });
  expect((await messagesOf(id)).map((message) => message["copied_from"])).toEqual([first, undefined]);
  const log = await api.call("GET", `/v1/organizations/current/audit-log`);
  expect((log.json.data as object[])[0]).toMatchObject({
    action: "message.retry",
    target: failed,
    details: { fork_session_id: id, version_id: versionId },
  });
  await api.call("POST", `/v1/messages/${String(retried.json["id"])}/cancel`);
  const unready = { fork: true, version_id: newId("version") };
  expect((await api.call("POST", `/v1/messages/${failed}/retry`, { body: unready })).status).toBe(409);
  expect((await api.call("POST", `/v1/messages/${first}/retry`, { body: { fork: true } })).status).toBe(409);
});

test("a rollback restores files and conversation, and marks what came later", async () => {
  const first = await run({ "a.txt": "one" });
  const second = await run({ "b.txt": "two" });
  const rollBack = (message: string): Promise<TestReply> =>
    api.call("POST", `/v1/sessions/${sessionId}/rollback`, { body: { message_id: message } });
  const done = await rollBack(first);
  expect([done.status, validate(routes.rollBackSession.reply, done.json)]).toEqual([200, []]);
  expect(await pathsOf(sessionId)).toEqual(["/a.txt"]);
  expect((await messagesOf(sessionId)).map((message) => message["rolled_back"])).toEqual([undefined, true]);
  expect((await rollBack(second)).status).toBe(409);
  const queued = await createTestMessage(api.db, api.org.organizationId, sessionId);
  const busy = await rollBack(first);
  expect([busy.status, busy.json.code]).toEqual([409, "session_busy"]);
  await complete(api, await claim(api), { files: { "c.txt": "three" } });
  expect((await rollBack(queued)).status).toBe(200);
  expect(await pathsOf(sessionId)).toEqual(["/c.txt"]);
  await api.call("POST", `/v1/sessions/${sessionId}/complete`);
  expect((await rollBack(first)).status).toBe(409);
});

test("what a failed attempt left behind is listed, read, and promoted while nothing has changed", async () => {
  await run({ "a.txt": "one" });
  const failed = await runAndFail({ "a.txt": "half", "new.txt": "new" });
  const base = `/v1/messages/${failed}/attempts/1`;
  const listed = await api.call("GET", `${base}/files`);
  expect(validate(routes.listAttemptFiles.reply, listed.json)).toEqual([]);
  expect((listed.json["entries"] as { path: string }[]).map((entry) => entry.path)).toEqual(["/a.txt", "/new.txt"]);
  expect((await api.call("GET", `${base}/files/content?path=/a.txt`)).text).toBe("half");
  expect((await api.call("GET", `${base}/files?path=/none`)).status).toBe(404);
  expect((await api.call("GET", `/v1/messages/${failed}/attempts/2/files`)).status).toBe(404);
  expect((await api.call("GET", `/v1/messages/${failed}/attempts/x/files`)).status).toBe(422);
  expect(await pathsOf(sessionId)).toEqual(["/a.txt"]);

  const promoted = await api.call("POST", `${base}/promote`);
  expect([promoted.status, validate(routes.promoteAttempt.reply, promoted.json)]).toEqual([200, []]);
  expect(promoted.json["files_changed"]).toEqual([
    { path: "/a.txt", change: "modified", size_bytes: 4 },
    { path: "/new.txt", change: "created", size_bytes: 3 },
  ]);
  expect(await pathsOf(sessionId)).toEqual(["/a.txt", "/new.txt"]);
  const twice = await api.call("POST", `${base}/promote`);
  expect([twice.status, twice.json.code]).toEqual([409, "conflict"]);
  expect((await api.call("GET", `/v1/messages/${failed}`)).json["status"]).toBe("failed");

  const next = await runAndFail({ "x.txt": "x" });
  await createTestMessage(api.db, api.org.organizationId, sessionId);
  const busy = await api.call("POST", `/v1/messages/${next}/attempts/1/promote`);
  expect([busy.status, busy.json.code]).toEqual([409, "session_busy"]);
  await complete(api, await claim(api), { files: { "a.txt": "1" } });
  expect((await api.call("POST", `/v1/messages/${next}/attempts/1/promote`)).status).toBe(409);
});

test("a completed attempt left no side snapshot", async () => {
  const done = await run();
  expect((await api.call("GET", `/v1/messages/${done}/attempts/1/files`)).status).toBe(404);
  expect((await api.call("POST", `/v1/messages/${done}/attempts/1/promote`)).status).toBe(404);
});
