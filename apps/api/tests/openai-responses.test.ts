// OpenAI's Responses API: the same sessions and messages in its form.

import { routes, validate, type Route } from "@dari/contract";
import { recordTurnEvents } from "@dari/control/turns";
import type { ClaimedTurn } from "@dari/db";
import { newId } from "@dari/domain";
import { createTestAgent, createTestKey, waitUntil } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { complete, finish } from "./turn.ts";
import { claimIn, claimSent, preview } from "./watching.ts";

let api: TestApi;
let agentId: string;
let versionId: string;
let name: string;
beforeAll(async () => {
  api = await startTestApi({ settings: { syncWaitMs: 30_000 } });
  ({ agentId, versionId } = await createTestAgent(api.db, api.org.organizationId));
  name = String((await api.call("GET", `/v1/agents/${agentId}`)).json["name"]);
});
afterAll(async () => api[Symbol.asyncDispose]());

const path = "/openai/v1/responses";

function create(body: object, headers: Record<string, string> = {}): Promise<TestReply> {
  return api.call("POST", path, { body: { model: name, input: "hello", ...body }, headers });
}

async function createInBackground(
  body: object = {},
): Promise<{ id: string; sessionId: string; json: TestReply["json"] }> {
  const { status, json, text } = await create({ background: true, ...body });
  expect([status, text]).toEqual([200, expect.any(String)]);
  expect(validate(routes.createOpenAiResponse.reply, json)).toEqual([]);
  const { id } = json["conversation"] as { id: string };
  return { id: String(json["id"]), sessionId: id.replace("conv", "sess"), json };
}

const get = (id: string, query = "") => api.call("GET", `${path}/${id}${query}`);
const messageOf = (id: string): string => id.replace("resp", "msg");

let number = 0;
async function act(turn: ClaimedTurn): Promise<void> {
  const call = { call_id: "call_1", name: "read" };
  const events = [
    { type: "reasoning.completed", data: { text: "I should read." } },
    { type: "tool.call_requested", data: { ...call, kind: "function", arguments: { path: "/a" } } },
    { type: "tool.call_completed", data: { ...call, result: "text", is_error: false } },
  ];
  const numbered = events.map((event) => ({ ...event, number: (number += 1) }));
  expect(await recordTurnEvents(api.db, turn, numbered as never)).toBe(true);
}

interface Streamed {
  readonly type: string;
  readonly sequence_number: number;
  readonly response?: Record<string, unknown>;
}

const eventsIn = (text: string): Streamed[] =>
  [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data!) as Streamed);

test("a response waits for the turn, and shows what the agent did", async () => {
  const metadata = { ticket: "7" };
  const { turn, replying } = await claimSent(api, () =>
    create({ metadata, user: "ann", max_output_tokens: 9, temperature: 1, tools: [], stream: false }),
  );
  await act(turn);
  await complete(api, turn);
  const { status, json } = await replying;
  expect([status, validate(routes.createOpenAiResponse.reply, json)]).toEqual([200, []]);
  expect(json).toMatchObject({
    id: turn.messageId.replace("msg", "resp"),
    object: "response",
    status: "completed",
    model: `${agentId}@${versionId}`,
    output: [
      { type: "reasoning", summary: [{ text: "I should read." }] },
      { type: "mcp_call", name: "read", server_label: "agent", arguments: '{"path":"/a"}', output: "text" },
      { type: "message", role: "assistant", content: [{ type: "output_text", text: "done" }] },
    ],
    metadata: { ticket: "7", user: "ann", max_output_tokens: 9 },
    max_output_tokens: 9,
    user: "ann",
    error: null,
    usage: null,
  });
  const again = await get(String(json["id"]));
  expect(again.json).toEqual({ ...json, background: null });
  const record = (await api.call("GET", `/v1/messages/${turn.messageId}`)).json;
  expect(record["metadata"]).toEqual({ ticket: "7", user: "ann", max_output_tokens: 9 });
});

test("a streamed response has the same output, and can be streamed again from any number", async () => {
  const { turn, replying } = await claimSent(api, () => create({ stream: true }));
  // It can be lost. Nothing below depends on it.
  api.previews.send(turn.sessionId, preview(turn, "assistant.text_delta", { text: "do", offset: 0 }));
  await act(turn);
  await complete(api, turn);
  const { status, headers, text } = await replying;
  expect([status, headers.get("content-type")]).toEqual([200, "text/event-stream; charset=utf-8"]);
  // OpenAI's Python client takes any other field for an event.
  expect(text.split("\n").filter((line) => !/^(event: |data: |: |$)/.test(line))).toEqual([]);
  const events = eventsIn(text);
  expect([events[0]?.type, events.at(-1)?.type]).toEqual(["response.created", "response.completed"]);
  const last = events.at(-1)?.response;
  const id = String(last?.["id"]);
  expect((await get(id)).json).toEqual({ ...last, background: null });
  const again = eventsIn((await get(id, "?stream=true")).text);
  expect(again.at(-1)).toEqual({ ...events.at(-1), response: { ...last, background: null } });
  const after = again[3]!.sequence_number;
  expect(eventsIn((await get(id, `?stream=true&starting_after=${after}`)).text)).toEqual(again.slice(4));
});

test("a background response is queued, can be read, cancelled and deleted", async () => {
  const { id, sessionId, json } = await createInBackground();
  expect(json).toMatchObject({ status: "queued", background: true, output: [] });
  const turn = await claimIn(api, sessionId);
  expect((await get(id)).json).toMatchObject({ status: "in_progress", background: null });
  await complete(api, turn);
  expect((await get(id)).json).toMatchObject({ status: "completed" });
  const items = await api.call("GET", `${path}/${id}/input_items?limit=20&order=desc`);
  expect(validate(routes.listOpenAiInputItems.reply, items.json)).toEqual([]);
  expect(items.json).toMatchObject({
    data: [{ type: "message", role: "user", content: [{ type: "input_text", text: "hello" }] }],
    has_more: false,
  });
  const next = await api.call("GET", `${path}/${id}/input_items?after=${messageOf(id)}`);
  expect(next.json).toMatchObject({ data: [], first_id: null });

  const second = await createInBackground();
  const cancelled = await api.call("POST", `${path}/${second.id}/cancel`);
  expect(cancelled.json).toMatchObject({ id: second.id, status: "cancelled", error: null });

  expect((await api.call("DELETE", `${path}/${id}`)).json).toEqual({ id, object: "response", deleted: true });
  expect((await get(id)).json).toMatchObject({ error: { type: "invalid_request_error", code: "not_found" } });
  expect((await api.call("GET", `/v1/sessions/${sessionId}`)).status).toBe(404);
});

test("a response whose session has another message is not deleted", async () => {
  const { id, sessionId } = await createInBackground();
  const body = { parts: [{ type: "text", text: "more" }] };
  expect((await api.call("POST", `/v1/sessions/${sessionId}/messages/async`, { body })).status).toBe(202);
  const refused = await api.call("DELETE", `${path}/${id}`);
  expect([refused.status, refused.headers.get("x-should-retry")]).toEqual([409, "false"]);
  expect(refused.json["error"]).toMatchObject({
    message: "the session has other messages; delete the session, or leave the message",
  });
  expect((await get(id)).status).toBe(200);
});

test("a failed turn is a failed response", async () => {
  const { turn, replying } = await claimSent(api, () => create({}));
  await finish(api, turn, { ending: "failed", failure: { code: "agent_error", message: "broken" } });
  const { status, json } = await replying;
  expect(status).toBe(200);
  expect(json).toMatchObject({ status: "failed", error: { code: "server_error", message: "agent_error: broken" } });
});

test("with store: false, nothing is left after the answer, streamed or not", async () => {
  for (const stream of [false, true]) {
    const { turn, replying } = await claimSent(api, () => create({ store: false, stream }));
    await complete(api, turn);
    const { status, text } = await replying;
    expect([status, text]).toEqual([200, expect.stringContaining('"text":"done"')]);
    await waitUntil(async () => (await api.call("GET", `/v1/sessions/${turn.sessionId}`)).status === 404, {
      what: "the session to be deleted",
    });
  }
});

test("with store: false, an answer is sent even if the session cannot be deleted", async () => {
  const { notifier } = api.control;
  const { notify } = notifier;
  const { turn, replying } = await claimSent(api, () => create({ store: false }));
  let hasEnded = false;
  notifier.notify = (kind, ...rest) => {
    if (kind === "session" && hasEnded) throw new Error("broken");
    hasEnded ||= kind === "message";
    notify.call(notifier, kind, ...rest);
  };
  try {
    await complete(api, turn);
    const { status, text } = await replying;
    expect([status, text]).toEqual([200, expect.stringContaining('"text":"done"')]);
    expect(api.log).toContainEqual(expect.objectContaining({ level: "error", event: "session.delete_failed" }));
  } finally {
    notifier.notify = notify;
  }
});

test("an error after the message was accepted is not repeated by clients, except with a key", async () => {
  const { notifier } = api.control;
  const { subscribe } = notifier;
  notifier.subscribe = (kind, ...rest) => {
    if (kind === "message") throw new Error("broken");
    return subscribe.call(notifier, kind, ...rest);
  };
  try {
    const failed = await create({});
    expect([failed.status, failed.headers.get("x-should-retry")]).toEqual([500, "false"]);
    const keyed = await create({}, { "idempotency-key": "k-3" });
    expect([keyed.status, keyed.headers.get("x-should-retry")]).toEqual([500, null]);
  } finally {
    notifier.subscribe = subscribe;
  }
});

test("a stream that is cut before the end of its turn ends with an error", async () => {
  const { keyId, apiKey } = await createTestKey(api.db, api.org.organizationId, ["run", "read"]);
  const { turn, replying } = await claimSent(api, () =>
    api.call("POST", path, { key: apiKey, body: { model: name, input: "hello", stream: true } }),
  );
  expect((await api.call("DELETE", `/v1/organizations/current/api-keys/${keyId}`)).status).toBe(200);
  const last = eventsIn((await replying).text).at(-1);
  expect(last).toMatchObject({
    type: "error",
    code: "stream_interrupted",
    message: expect.stringContaining(turn.messageId.replace("msg", "resp")),
    error: { type: "server_error" },
  });
  await complete(api, turn);
});

test("models are agents by name, and a version can be pinned", async () => {
  const list = await api.call("GET", "/openai/v1/models");
  expect(validate(routes.listOpenAiModels.reply, list.json)).toEqual([]);
  expect(list.json.data).toContainEqual(expect.objectContaining({ id: name, object: "model" }));
  for (const model of [name, agentId]) {
    expect((await api.call("GET", `/openai/v1/models/${encodeURIComponent(model)}`)).json).toMatchObject({ id: name });
  }
  for (const model of [agentId, `${name}@${versionId}`, `${agentId}@${versionId}`]) {
    expect((await createInBackground({ model })).json).toMatchObject({ model: `${agentId}@${versionId}` });
  }
  const unready = await create({ model: `${name}@${newId("version")}` });
  expect([unready.status, unready.json["error"]]).toMatchObject([409, { code: "conflict" }]);
  for (const model of ["gpt-4o", newId("agent"), "agt_x"]) {
    const { status, json } = await create({ model });
    expect([model, status, json["error"]]).toMatchObject([
      model,
      404,
      { type: "invalid_request_error", param: "model", code: "model_not_found" },
    ]);
  }
});

test("texts, files and inline images are the parts of the message", async () => {
  const form = new FormData();
  form.set("file", new Blob(["a,b"], { type: "text/csv" }), "table.csv");
  const file = (await api.call("POST", "/v1/files", { body: form })).json;
  const image = `data:image/png;base64,${Buffer.from("pixels").toString("base64")}`;
  const input = [
    { role: "user", content: "Look:" },
    {
      type: "message",
      role: "user",
      content: [
        { type: "input_image", image_url: image, detail: "auto" },
        { type: "input_file", file_id: file["id"] },
        { type: "input_file", filename: "notes.txt", file_data: "data:text/plain;base64,aGk=" },
      ],
    },
  ];
  const headers = { "idempotency-key": "k-1" };
  const [first, second] = [
    await create({ input, background: true }, headers),
    await create({ input, background: true }, headers),
  ];
  expect(second?.json["id"]).toBe(first?.json["id"]);
  const id = String(first?.json["id"]);
  const { parts } = (await api.call("GET", `/v1/messages/${messageOf(id)}`)).json as { parts: object[] };
  expect(parts).toMatchObject([
    { type: "text", text: "Look:" },
    { type: "image", path: "/input/file.png" },
    { type: "file", file_id: file["id"], path: "/input/table.csv" },
    { type: "file", path: "/input/notes.txt" },
  ]);
  const stored = (parts[1] as { file_id: string }).file_id;
  expect((await api.call("GET", `/v1/files/${stored}/content`)).text).toBe("pixels");
  const shown = (await api.call("GET", `${path}/${id}/input_items`)).json.data;
  expect(shown).toMatchObject([{ content: [{}, { type: "input_image", file_id: stored }, {}, {}] }]);
  // The repeated call has stored its files as well, and deleted them.
  expect((await api.objects()).filter((object) => object.includes("/files/"))).toHaveLength(3);
});

test("a message that is refused leaves no file and no session", async () => {
  const before = [(await api.objects()).length, await count("sessions"), await count("files")];
  const content = [
    { type: "input_file", filename: "a", file_data: "data:text/plain;base64,aGk=" },
    { type: "input_file", file_id: newId("file") },
  ];
  const refused = await create({ input: [{ role: "user", content }] });
  expect([refused.status, refused.json["error"]]).toMatchObject([400, { message: "input[1].file_id: file not found" }]);
  expect((await create({ model: "absent", input: [{ role: "user", content: content.slice(0, 1) }] })).status).toBe(404);
  expect([(await api.objects()).length, await count("sessions"), await count("files")]).toEqual(before);
});

async function count(table: string): Promise<number> {
  return (await api.db.pool.query<{ n: number }>(`select count(*)::int as n from dari.${table}`)).rows[0]?.n ?? -1;
}

test("with store: false, the files in the request are deleted as well, and a key is refused", async () => {
  const content = [{ type: "input_file", filename: "a", file_data: "data:text/plain;base64,aGk=" }];
  const before = await count("files where deleted_at is null");
  const body = { store: false, input: [{ role: "user", content }] };
  const { turn, replying } = await claimSent(api, () => create(body));
  expect(await count("files where deleted_at is null")).toBe(before + 1);
  await complete(api, turn);
  expect((await replying).status).toBe(200);
  expect(await count("files where deleted_at is null")).toBe(before);
  const refused = await create(body, { "idempotency-key": "k-2" });
  expect([refused.status, refused.json["error"]]).toMatchObject([400, { param: "store", code: "invalid" }]);
});

test("what is refused is named, in OpenAI's form of errors", async () => {
  const { status, json, headers } = await create({ tools: [{ type: "web_search" }], temperature: 0.5 });
  expect(status).toBe(400);
  expect(json["error"]).toEqual({
    message:
      "temperature: expected null or 1: the agent chooses its model's settings; " +
      "tools: expected null or []: the agent has its own tools",
    type: "invalid_request_error",
    param: "temperature",
    code: "invalid",
  });
  expect(json["request_id"]).toBe(headers.get("x-request-id"));
  const nowhere = await api.call("POST", "/openai/v1/embeddings", { body: {} });
  expect([nowhere.status, nowhere.json["error"]]).toMatchObject([
    404,
    { message: "no such route: POST /openai/v1/embeddings", type: "invalid_request_error" },
  ]);
  const unknown = await api.call("GET", "/openai/v1/models", { key: null });
  expect([unknown.status, unknown.json["error"]]).toMatchObject([401, { type: "authentication_error" }]);
  const allowed: Route = routes.createOpenAiResponse;
  expect(allowed.scope).toBe("run");
});
