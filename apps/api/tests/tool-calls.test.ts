// A tool call by its id: from the events of its message, whole if they are cut, and its values as downloads.

import { routes, validate } from "@dari/contract";
import type { Actor } from "@dari/control/context";
import { getToolCall, storeValue } from "@dari/control/storage";
import { recordTurnEvents } from "@dari/control/turns";
import { dispatch, messageValues, type ClaimedTurn } from "@dari/db";
import { failure, limits, newId } from "@dari/domain";
import { createTestAgent, createTestMessage, createTestSession, finishTestBuild } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import { agentBundle } from "./bundle.ts";
import { bring } from "./publish.ts";
import { attemptsWithCalls, claim, complete, finish } from "./turn.ts";

let api: TestApi;
let agentId: string;
beforeAll(async () => {
  api = await startTestApi();
  ({ agentId } = await createTestAgent(api.db, api.org.organizationId));
});
afterAll(async () => api[Symbol.asyncDispose]());

const head = { call_id: "call/1 ?", name: "search", kind: "mcp", server: "docs", agent: "Planner" } as const;
const requested = (data: object = {}) => ({
  type: "tool.call_requested",
  data: { ...head, arguments: { query: "Rome" }, ...data },
});
const completed = (data: object = {}) => {
  const { call_id, name, agent } = head;
  return { type: "tool.call_completed", data: { call_id, name, agent, result: "found", is_error: false, ...data } };
};

/** Starts a turn of a new session. */
async function begin(ofAgent = agentId): Promise<ClaimedTurn> {
  const { organizationId } = api.org;
  await createTestMessage(api.db, organizationId, await createTestSession(api.db, organizationId, ofAgent));
  return claim(api);
}

/** Fails an attempt, and starts the next one. */
async function retry(turn: ClaimedTurn): Promise<ClaimedTurn> {
  await finish(api, turn, { ending: "retry", failure: failure("agent_error", "it threw"), waitMs: 0 });
  await dispatch.reapExpired(api.db, { limit: 100, graceMs: 0, overdueMs: 0, uncountedClaimsMax: 2 });
  await dispatch.dispatchIfReady(api.db, [{ organizationId: api.org.organizationId, count: 1 }], 60_000);
  return claim(api);
}

let number = 0;
async function record(turn: ClaimedTurn, ...events: { type: string; data: object }[]): Promise<void> {
  const numbered = events.map((event) => ({ ...event, number: (number += 1) }));
  expect(await recordTurnEvents(api.db, turn, numbered as never)).toBe(true);
}

const look = (messageId: string, query = "", callId: string = head.call_id) =>
  api.call("GET", `/v1/messages/${messageId}/tool-calls/${encodeURIComponent(callId)}${query}`);

async function keep(turn: ClaimedTurn, mediaType: string, bytes: string | Uint8Array): Promise<string> {
  const value = { id: newId("value"), mediaType, bytes: Buffer.from(bytes) };
  expect(await storeValue(api.control, turn, value, new AbortController().signal)).toBe("stored");
  return value.id;
}

test("a call that was not cut is answered from its events", async () => {
  const turn = await begin();
  await record(turn, requested());
  const begun = { message_id: turn.messageId, attempt_id: turn.attemptId, ...head, result: null, is_error: null };
  const given = { value: { query: "Rome" }, media_type: "application/json", size_bytes: 16, is_cut: false };
  const first = await look(turn.messageId);
  expect(first.json).toMatchObject({ ...begun, arguments: given, duration_ms: null, completed_at: null });
  await record(turn, completed({ duration_ms: 3 }));
  const found = { value: "found", media_type: "text/plain", size_bytes: 5, is_cut: false };
  const { json } = await look(turn.messageId);
  expect(json).toMatchObject({ ...begun, arguments: given, result: found, is_error: false, duration_ms: 3 });
  expect([typeof json["requested_at"], typeof json["completed_at"]]).toEqual(["string", "string"]);
  expect((await look(turn.messageId, "", "call_2")).json).toMatchObject({ detail: "tool call not found" });
  expect((await look(turn.messageId, "?attempt=0")).status).toBe(422);
  await complete(api, turn);
});

test("arguments and results that were cut are whole in the answer, and downloads", async () => {
  const turn = await begin();
  const whole = JSON.stringify({ rows: ["x".repeat(20_000)] });
  const text = "<script>alert(1)</script>".repeat(1_000);
  const [given, found] = [await keep(turn, "application/json", whole), await keep(turn, "text/plain", text)];
  const cut = { arguments: whole.slice(0, 16), arguments_bytes: whole.length, arguments_value_id: given };
  await record(turn, requested(cut), completed({ result: "<", result_bytes: 25_000, result_value_id: found }));
  const { json } = await look(turn.messageId);
  const size = { is_cut: false, size_bytes: whole.length, value_id: given, media_type: "application/json" };
  expect(json["arguments"]).toEqual({ value: JSON.parse(whole), ...size });
  expect(json["result"]).toMatchObject({ value: text, is_cut: false, media_type: "text/plain" });
  const download = await api.call("GET", `/v1/messages/${turn.messageId}/values/${found}`);
  expect(download.text).toBe(text);
  const headers = ["content-type", "content-disposition", "x-content-type-options"].map((name) => {
    return download.headers.get(name);
  });
  const name = `attachment; filename="${found}.txt"; filename*=UTF-8''${found}.txt`;
  expect(headers).toEqual(["text/plain; charset=utf-8", name, "nosniff"]);
  const range = { headers: { range: "bytes=1-6" } };
  const part = await api.call("GET", `/v1/messages/${turn.messageId}/values/${found}`, range);
  expect([part.status, part.text]).toEqual([206, "script"]);
  await complete(api, turn);
});

test("a value that is not kept, or lost, stays cut and says so", async () => {
  const turn = await begin();
  const found = await keep(turn, "text/plain", "x".repeat(20_000));
  const cut = { arguments: "[1,", arguments_bytes: 99_000_000, arguments_value_id: newId("value") };
  await record(turn, requested(cut), completed({ result: "x", result_bytes: 20_000, result_value_id: found }));
  const [row] = await messageValues.listValuesByIds(api.db, {
    ...turn,
    organizationId: api.org.organizationId,
    ids: [found],
  });
  await api.control.blobs.delete([row!.objectKey]);
  const { json } = await look(turn.messageId);
  const shown = { media_type: "text/plain", is_cut: true };
  expect(json["arguments"]).toEqual({ value: "[1,", size_bytes: 99_000_000, ...shown });
  expect(json["result"]).toEqual({ value: "x", size_bytes: 20_000, ...shown });
  await complete(api, turn);
});

test("of two attempts with the same call, the last one is found, and each by its number", async () => {
  const first = await begin();
  await record(first, requested(), completed({ result: "first" }));
  const second = await retry(first);
  await record(second, requested({ arguments: "again" }));
  const { messageId } = second;
  expect((await look(messageId)).json).toMatchObject({ attempt_id: second.attemptId, result: null });
  await record(second, completed({ result: "second" }));
  expect((await look(messageId)).json).toMatchObject({ arguments: { value: "again" }, result: { value: "second" } });
  expect((await look(messageId, "?attempt=1")).json).toMatchObject({
    attempt_id: first.attemptId,
    result: { value: "first" },
  });
  expect((await look(messageId, "?attempt=3")).status).toBe(404);
  await complete(api, second);
});

test("a fork answers for the calls that it copied, from the same objects", async () => {
  const turn = await begin();
  const text = "x".repeat(20_000);
  const found = await keep(turn, "text/plain", text);
  await record(turn, requested(), completed({ result: "x", result_bytes: 20_000, result_value_id: found }));
  await complete(api, turn);
  const fork = await api.call("POST", `/v1/sessions/${turn.sessionId}/fork`, { body: {} });
  const messages = await api.call("GET", `/v1/sessions/${String(fork.json["id"])}/messages`);
  const [copy] = messages.json.data as { id: string }[];
  await api.call("DELETE", `/v1/sessions/${turn.sessionId}`);
  expect((await look(turn.messageId)).status).toBe(404);
  const { json } = await look(copy!.id);
  expect(json).toMatchObject({ message_id: copy!.id, ...head, result: { value: text, value_id: found } });
  expect(json["attempt_id"]).toBe(turn.attemptId);
  const download = await api.call("GET", `/v1/messages/${copy!.id}/values/${found}`);
  expect(download.text).toBe(text);
});

/** Starts a turn of an agent whose sessions can be exported. */
async function beginPortable(): Promise<ClaimedTurn> {
  const { id } = await bring(api, agentBundle());
  const made = await api.call("POST", "/v1/agents", { body: { source_snapshot_id: id } });
  await finishTestBuild(api.db, String(made.json["version_id"]), "ready");
  return begin(String(made.json["id"]));
}

/** Exports a session and imports it again. Returns the id of the new one. */
async function importAgain(sessionId: string): Promise<string> {
  const headers = { authorization: `Bearer ${api.org.apiKey}` };
  const exported = await fetch(`${api.url}/v1/sessions/${sessionId}/export`, { headers });
  const body = Buffer.from(await exported.arrayBuffer());
  const imported = await api.call("POST", "/v1/sessions/import", { body, key: api.org.apiKey });
  expect([imported.status, imported.text]).toEqual([201, expect.any(String)]);
  return String(imported.json["id"]);
}

test("an export has no values: in an imported session, a call stays cut and says so", async () => {
  const turn = await beginPortable();
  const found = await keep(turn, "text/plain", "x".repeat(20_000));
  await record(turn, requested(), completed({ result: "x", result_bytes: 20_000, result_value_id: found }));
  await complete(api, turn);
  const messages = await api.call("GET", `/v1/sessions/${await importAgain(turn.sessionId)}/messages`);
  const [copy] = messages.json.data as { id: string }[];
  const { json } = await look(copy!.id);
  const result = { value: "x", media_type: "text/plain", size_bytes: 20_000, is_cut: true };
  expect(json).toMatchObject({ ...head, arguments: { value: { query: "Rome" } } });
  expect(json["result"]).toEqual(result);
  expect((await api.call("GET", `/v1/messages/${copy!.id}/values/${found}`)).status).toBe(404);
});

test("an export has no calls of an attempt that was repeated", async () => {
  const first = await beginPortable();
  await record(first, requested());
  await finish(api, first, { ending: "released" });
  await dispatch.dispatchIfReady(api.db, [{ organizationId: api.org.organizationId, count: 1 }], 60_000);
  const last = await claim(api);
  await record(last, requested(), completed());
  await complete(api, last);
  expect(await attemptsWithCalls(api, last.sessionId)).toEqual([first.attemptId, last.attemptId]);
  expect(await attemptsWithCalls(api, await importAgain(last.sessionId))).toEqual([last.attemptId]);
});

test("values are downloads of their own message, organization and kind only", async () => {
  const [turn, other] = [await begin(), await begin()];
  const found = await keep(turn, "image/svg+xml", "<svg/>");
  const path = `/v1/messages/${turn.messageId}/values`;
  expect((await api.call("GET", `${path}/${found}`)).headers.get("content-type")).toBe("image/svg+xml");
  expect((await api.call("GET", `/v1/messages/${other.messageId}/values/${found}`)).status).toBe(404);
  expect((await api.call("GET", `${path}/${found}`, { key: null })).status).toBe(401);
  expect((await api.call("GET", `${path}/${found}`, { key: api.stranger.apiKey })).status).toBe(404);
  expect((await look(turn.messageId, "", "x".repeat(201))).status).toBe(404);
  expect((await api.call("GET", `${path}/file_1`)).json).toMatchObject({ code: "invalid" });
  await complete(api, turn);
  await complete(api, other);
});

test("an organization reads a few large values at a time", async () => {
  const turn = await begin();
  const found = await keep(turn, "text/plain", "x".repeat(20_000));
  await record(turn, requested(), completed({ result: "x", result_bytes: 20_000, result_value_id: found }));
  const release = Promise.withResolvers<void>();
  const reading = Promise.withResolvers<void>();
  let readers = 0;
  const blobs = Object.create(api.control.blobs, {
    read: {
      value: async (key: string) => {
        if ((readers += 1) === limits.valueReadsPerOrganization) reading.resolve();
        await release.promise;
        return api.control.blobs.read(key);
      },
    },
  }) as typeof api.control.blobs;
  const actor = { organizationId: api.org.organizationId } as Actor;
  const input = { messageId: turn.messageId, callId: head.call_id, attempt: undefined };
  const calls = Array.from({ length: limits.valueReadsPerOrganization }, () => {
    return getToolCall({ ...api.control, blobs }, actor, input);
  });
  await reading.promise;
  const refused = await look(turn.messageId);
  expect([refused.status, refused.json.code]).toEqual([429, "limit_exceeded"]);
  release.resolve();
  await Promise.all(calls);
  expect((await look(turn.messageId)).status).toBe(200);
  await complete(api, turn);
});

const said = (text: string, data: object = {}) => ({ type: "assistant.message", data: { text, ...data } });
const { agent } = head;
const callPart = { type: "tool_call", ...head, arguments: { query: "Rome" } };
const resultPart = {
  type: "tool_result",
  call_id: head.call_id,
  name: head.name,
  agent,
  result: "found",
  is_error: false,
};
const answer = { type: "text", text: "done" };

test("a client can ask for tool calls as parts of the answer, in their order", async () => {
  const first = await begin();
  await record(first, said("lost"), requested());
  const turn = await retry(first);
  const ofSubagent = said("of a subagent", { parent_call_id: head.call_id });
  await record(turn, said("I search."), requested(), ofSubagent, completed());
  const running = await api.call("GET", `/v1/messages/${turn.messageId}?include=tool_calls`);
  expect(running.json["output"]).toBeNull();
  await complete(api, turn);
  const whole = [{ type: "text", text: "I search." }, callPart, resultPart, answer];
  const path = `/v1/messages/${turn.messageId}`;
  const asked = await api.call("GET", `${path}?include=tool_calls`);
  expect(asked.json["output"]).toEqual({ parts: whole });
  expect(validate(routes.getMessage.reply, asked.json)).toEqual([]);
  expect((await api.call("GET", path)).json["output"]).toEqual({ parts: [answer] });
  expect((await api.call("GET", `${path}?include=all`)).json).toMatchObject({ code: "invalid" });
  const transcript = `/v1/sessions/${turn.sessionId}/transcript`;
  const answersOf = async (query: string) => {
    const { json } = await api.call("GET", `${transcript}${query}`);
    expect(validate(routes.getTranscript.reply, json)).toEqual([]);
    return (json.data as { kind: string; parts: unknown }[]).filter(({ kind }) => kind === "assistant");
  };
  expect(await answersOf("")).toMatchObject([{ parts: [answer] }]);
  expect(await answersOf("?include=tool_calls")).toMatchObject([{ parts: whole }]);
  // The page has the answer, but none of the events before it.
  const entries = (await api.call("GET", transcript)).json.data as { kind: string; sequence_number: number }[];
  const { sequence_number: at } = entries.find(({ kind }) => kind === "assistant")!;
  expect(await answersOf(`?include=tool_calls&after=${at - 1}`)).toMatchObject([{ parts: whole }]);
});

test("the parts before an answer end at a limit, and say so", async () => {
  const turn = await begin();
  const large = { result: "x".repeat(limits.activityValueBytes) };
  for (let i = 0; i < 6; i++) await record(turn, ...Array.from({ length: 90 }, () => completed(large)));
  await complete(api, turn);
  const { json } = await api.call("GET", `/v1/messages/${turn.messageId}?include=tool_calls`);
  const { parts, tool_calls_cut } = json["output"] as { parts: unknown[]; tool_calls_cut: boolean };
  expect([tool_calls_cut, parts.at(-1)]).toEqual([true, answer]);
  expect(parts.length).toBeGreaterThan(500);
  expect(Buffer.byteLength(JSON.stringify(parts))).toBeLessThan(limits.pageBytes + 1_000);
});
