// Replays over HTTP: what can be replayed, the fork that it makes, and the comparison. Tests of all routes cover calls
// without a key and calls for another organization.

import { routes, validate } from "@dari/contract";
import { recordModelRequests, type ModelRequestRow } from "@dari/control/turns";
import { dispatch, findViolations, recordedAnswers, type ClaimedTurn } from "@dari/db";
import { newId } from "@dari/domain";
import {
  createTestAgent,
  createTestFile,
  createTestMessage,
  createTestSession,
  createTestVersion,
} from "@dari/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { claim, complete, finish, type TestWorkspace } from "./turn.ts";

const manifest = {
  name: "test-agent",
  sdk: "opencode",
  entrypoint: "src/agent.js:agent",
  runtime: { language: "typescript", timeout_seconds: 60 },
  retries: { max_attempts: 3, record_answers: { keep_days: 7 } },
  secrets: [],
  env: {},
};

let api: TestApi;
let agentId: string;
let sessionId: string;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => api[Symbol.asyncDispose]());
beforeEach(async () => {
  ({ agentId } = await createTestAgent(api.db, api.org.organizationId, { manifest }));
  sessionId = await createTestSession(api.db, api.org.organizationId, agentId, { metadata: { team: "a" } });
});
afterEach(async () => {
  expect(await findViolations(api.db)).toEqual([]);
});

const counts = { input: 10, cachedInput: null, cacheWrite: null, output: 5, reasoning: null };
const request = (ordinal: number, isRecorded: boolean): ModelRequestRow => ({
  ...{ ordinal, requests: 1, host: "api.openai.com", format: "openai-chat", model: "m", status: 200, ...counts },
  ...{ finishReason: "stop", durationMs: 1, isComplete: true, unread: null, isRecorded },
});

async function record(turn: ClaimedTurn): Promise<void> {
  const objectKey = `${api.org.organizationId}/answers/${newId("value")}`;
  const row = { digest: "d1", ordinal: 1, objectKey, sizeBytes: 10 };
  expect(await recordedAnswers.recordAnswerIfHeld(api.db, turn, row, { rows: 9, bytes: 999 })).toBe("stored");
}

/** Runs a turn that makes one request to a model and leaves these files. */
async function run(files: NonNullable<TestWorkspace["files"]>, isRecorded = false): Promise<string> {
  const messageId = await createTestMessage(api.db, api.org.organizationId, sessionId);
  const turn = await claim(api);
  await recordModelRequests(api.db, turn, [request(1, false)]);
  if (isRecorded) await record(turn);
  await complete(api, turn, { files });
  return messageId;
}

const replay = (id: string, body: object = {}, headers: Record<string, string> = {}): Promise<TestReply> =>
  api.call("POST", `/v1/messages/${id}/replay`, { body, headers });
const report = (id: unknown) => api.call("GET", `/v1/messages/${String(id)}/replay`);

/** Claims a replay, which is in the background lane. */
async function begin(): Promise<ClaimedTurn> {
  await dispatch.dispatchIfReady(api.db, [{ organizationId: api.org.organizationId, count: 10 }], 60_000);
  return claim(api);
}

test("a replay runs in a fork from before its message, on the version that was asked for", async () => {
  const first = await run({ "a.txt": "one" }, true);
  const second = await run({ "a.txt": "two", "b.txt": "b" }, true);
  const { versionId } = await createTestVersion(api.db, api.org.organizationId, agentId, { manifest });
  const headers = { "idempotency-key": newId("message") };
  const sent = await replay(second, { version_id: versionId, live: false }, headers);
  expect([sent.status, validate(routes.replayMessage.reply, sent.json)]).toEqual([202, []]);
  expect(sent.json).toMatchObject({ replay_of: second, max_attempts: 1, lane: "background", status: "queued" });
  expect((await replay(second, { version_id: versionId, live: false }, headers)).json.id).toBe(sent.json.id);
  const fork = String(sent.json["session_id"]);
  const session = await api.call("GET", `/v1/sessions/${fork}`);
  expect(session.json).toMatchObject({ version_id: versionId, metadata: { team: "a", replay_of: second } });
  const listed = await api.call("GET", `/v1/sessions?metadata.replay_of=${second}`);
  expect((listed.json.data as { id: string }[]).map(({ id }) => id)).toEqual([fork]);
  const files = await api.call("GET", `/v1/sessions/${fork}/files/content?path=/a.txt`);
  expect(files.text).toBe("one");

  const before = await api.call("GET", `/v1/agents/${agentId}/recordings`);
  expect(validate(routes.listRecordings.reply, before.json)).toEqual([]);
  expect((before.json.data as { message_id: string }[]).map((row) => row.message_id)).toEqual([second, first]);
  const page = await api.call("GET", `/v1/agents/${agentId}/recordings?limit=1`);
  expect(page.json).toMatchObject({ has_more: true, next: second });
  const rest = await api.call("GET", `/v1/agents/${agentId}/recordings?after=${second}`);
  expect((rest.json.data as object[]).length).toBe(1);
  await complete(api, await begin());
});

test("an equal replay is the same, and one that differs says in what", async () => {
  const original = await run({ "a.txt": "one", "b.bin": new Uint8Array([0, 1]) }, true);
  const same = await replay(original);
  expect((await report(same.json.id)).status).toBe(409);
  const turn = await begin();
  await recordModelRequests(api.db, turn, [request(1, true)]);
  await complete(api, turn, { files: { "a.txt": "one", "b.bin": new Uint8Array([0, 1]) } });
  const equal = await report(same.json.id);
  expect(validate(routes.getReplay.reply, equal.json)).toEqual([]);
  expect(equal.json).toMatchObject({
    ...{ is_same: true, is_answer_changed: false, files_changed: [], are_requests_changed: false, status: "completed" },
    requests: { original: 1, recorded: 1, live: 0, first_live: null },
    ...{ replay_of: original, cost_microusd: 0, original_cost_microusd: null },
  });

  const other = await replay(original);
  const changed = await begin();
  await recordModelRequests(api.db, changed, [request(1, true), request(2, false)]);
  await complete(api, changed, { files: { "b.bin": new Uint8Array([0, 2]), "c.txt": "c" } });
  expect((await report(other.json.id)).json).toMatchObject({
    ...{ is_same: false, is_answer_changed: false, are_requests_changed: true },
    requests: { original: 1, recorded: 1, live: 1, first_live: 2 },
    files_changed: [
      { path: "/a.txt", change: "deleted" },
      { path: "/b.bin", change: "modified", size_bytes: 2 },
      { path: "/c.txt", change: "created" },
    ],
  });

  const fewer = await replay(original);
  await complete(api, await begin(), { files: { "a.txt": "one", "b.bin": new Uint8Array([0, 1]) } });
  expect((await report(fewer.json.id)).json).toMatchObject({ is_same: false, are_requests_changed: true });

  const failed = await replay(original);
  const failure = { code: "replay_diverged", message: "no recorded answer" } as const;
  await finish(api, await begin(), { ending: "failed", failure });
  expect((await report(failed.json.id)).json).toMatchObject({ is_same: false, status: "failed", files_changed: [] });
  expect((await report(original)).status).toBe(409);
  const retried = await api.call("POST", `/v1/messages/${String(failed.json.id)}/retry`, { body: {} });
  expect([retried.status, retried.json.detail]).toEqual([409, expect.stringContaining(`replay ${original} again`)]);
  const all = await api.call("POST", "/v1/messages/retry", { body: { filter: { agent_id: agentId } } });
  expect(all.json).toMatchObject({ matched: 0 });
});

test("what cannot be replayed is refused with the reason", async () => {
  const plain = await run({});
  const none = await replay(plain);
  expect([none.status, none.json.detail]).toEqual([409, expect.stringContaining("keep_days")]);
  const kept = await run({}, true);
  const { versionId } = await createTestVersion(api.db, api.org.organizationId, agentId, { state: "building" });
  expect((await replay(kept, { version_id: versionId })).status).toBe(409);
  const stranger = await api.call("POST", `/v1/messages/${kept}/replay`, { body: {}, key: api.stranger.apiKey });
  expect([stranger.status, stranger.json.code]).toEqual([404, "not_found"]);
  const setting = "/v1/organizations/current/answer-recording";
  expect((await api.call("PUT", setting, { body: { mode: "never" } })).status).toBe(200);
  const forbidden = await replay(kept);
  expect([forbidden.status, forbidden.json.detail]).toEqual([
    409,
    expect.stringContaining("answer-recording is `never`"),
  ]);
  expect((await api.call("PUT", setting, { body: { mode: "allowed" } })).status).toBe(200);
  await api.db.pool.query("update dari.recordings set expires_at = now() where message_id = $1", [kept]);
  expect((await replay(kept)).json.detail).toContain("no answers of models are kept");
  const queued = await createTestMessage(api.db, api.org.organizationId, sessionId);
  expect((await replay(queued)).json.detail).toContain("the message is queued");
  await complete(api, await claim(api));
  const back = await run({}, true);
  expect((await api.call("POST", `/v1/sessions/${sessionId}/rollback`, { body: { message_id: kept } })).status).toBe(
    200,
  );
  expect((await replay(back)).status).toBe(409);
  expect((await api.call("GET", `/v1/agents/${agentId}/recordings`)).json.data).toEqual([]);
});

test("a file of the message has the same path in the replay; a deleted one refuses it", async () => {
  const { organizationId } = api.org;
  const fileId = await createTestFile(api.db, organizationId);
  const parts = [
    { type: "text", text: "look" },
    { type: "file", file_id: fileId },
  ];
  const sent = await api.call("POST", `/v1/sessions/${sessionId}/messages/async`, { body: { parts } });
  expect([sent.text, sent.status]).toEqual([sent.text, 202]);
  const turn = await begin();
  await record(turn);
  await complete(api, turn);
  const again = await replay(String(sent.json.id));
  expect(again.json["parts"]).toEqual(sent.json["parts"]);
  await complete(api, await begin());
  await api.call("DELETE", `/v1/files/${fileId}`);
  const refused = await replay(String(sent.json.id));
  expect([refused.status, refused.json.detail]).toEqual([422, expect.stringContaining("not found")]);
});
