// Batches over HTTP: all sessions or none, once per key, counted, listed, cancelled.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { limits } from "@dari/domain";
import { BatchResult, validate } from "@dari/contract";
import { dispatch, invariants, findViolations } from "@dari/db";
import { createTestAgent, createTestFile, createTestKey } from "@dari/testkit";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import { claim, complete, fail } from "./turn.ts";

let api: TestApi;
let agentId: string;
let versionId: string;
beforeEach(async () => {
  api = await startTestApi();
  ({ agentId, versionId } = await createTestAgent(api.db, api.org.organizationId));
});
afterEach(async () => api[Symbol.asyncDispose]());

const path = "/v1/session-batches";
const text = (said: string) => ({ parts: [{ type: "text", text: said }] });
const texts = (count: number) => Array.from({ length: count }, (_, index) => text(`number ${index}`));
type Row = Record<string, unknown> & { id: string };

async function create(sessions: unknown[], request: Record<string, unknown> = {}): Promise<Row> {
  const reply = await api.call("POST", path, { body: { agent_id: agentId, sessions, ...request } });
  expect([reply.status, reply.text]).toEqual([201, expect.any(String)]);
  return reply.json as never;
}

const noCounts = { queued: 0, running: 0, waiting_for_input: 0, completed: 0, failed: 0, cancelled: 0, deleted: 0 };

/** Returns the status of each listed batch, newest first. */
async function listedStatuses(): Promise<unknown[]> {
  const rows = (await api.call("GET", path)).json["data"] as Row[];
  return rows.map(({ status }) => status);
}

async function rowCounts(): Promise<unknown> {
  const { rows } = await api.db.pool.query(`select (select count(*)::int from sessions) as sessions,
    (select count(*)::int from messages) as messages, (select count(*)::int from session_batches) as batches,
    (select count(*)::int from session_batch_items) as items`);
  return rows[0];
}

test("each item becomes a session with its message, in the order of the call, as if each was sent alone", async () => {
  const fileId = await createTestFile(api.db, api.org.organizationId, "a.txt");
  const withFiles = { parts: [1, 2].map(() => ({ type: "file", file_id: fileId })), name: "files", metadata: { n: 2 } };
  const made = await create([text("one"), withFiles], { name: "both", metadata: { run: 7 }, on_busy: "reject" });
  expect(made).toEqual({
    id: expect.stringMatching(/^batch_/),
    agent_id: agentId,
    name: "both",
    metadata: { run: 7 },
    lane: "background",
    max_concurrency: null,
    total: 2,
    created_at: expect.any(String),
    cancel_requested_at: null,
    status: "in_progress",
    counts: { ...noCounts, queued: 2 },
    finished_at: null,
  });
  const listed = await api.call("GET", `${path}/${made.id}/sessions`);
  const rows = listed.json["sessions"] as Record<string, string>[];
  expect(rows).toMatchObject([
    { index: 0, name: null, message_status: "queued", error: null },
    { index: 1, name: "files", message_status: "queued", error: null },
  ]);
  const second = rows[1]!;
  expect((await api.call("GET", `/v1/sessions/${second["session_id"]}`)).json).toMatchObject({
    version_id: versionId,
    status: "active",
    metadata: { n: 2 },
    on_busy: "reject",
    last_message_id: second["message_id"],
  });
  expect((await api.call("GET", `/v1/messages/${second["message_id"]}`)).json).toMatchObject({
    sequence_number: 1,
    metadata: { n: 2 },
    parts: [
      { type: "file", file_id: fileId, path: "/input/a.txt" },
      { type: "file", file_id: fileId, path: "/input/a-2.txt" },
    ],
  });
  const events = await api.call("GET", `/v1/sessions/${second["session_id"]}/events`);
  expect((events.json["events"] as { type: string }[]).map((event) => event.type)).toEqual([
    "session.created",
    "user.message",
    "message.status_changed",
    "session.status_changed",
  ]);
  expect(await findViolations(api.db)).toEqual([]);
  expect(invariants.length).toBeGreaterThan(0);
});

test("repeated and concurrent calls with one key create one batch", async () => {
  const options = { body: { agent_id: agentId, sessions: texts(3) }, headers: { "idempotency-key": "one" } };
  const replies = await Promise.all(Array.from({ length: 4 }, () => api.call("POST", path, options)));
  expect(replies.map((reply) => reply.status)).toEqual([201, 201, 201, 201]);
  expect(new Set(replies.map((reply) => reply.json["id"])).size).toBe(1);
  expect(replies.filter((reply) => reply.headers.get("idempotent-replayed") === "true")).toHaveLength(3);
  expect(await rowCounts()).toEqual({ sessions: 3, messages: 3, batches: 1, items: 3 });
});

test("when one item is refused, nothing is written", async () => {
  const strangers = await createTestFile(api.db, api.stranger.organizationId);
  const sessions = [
    ...texts(2),
    {
      parts: [
        { type: "text", text: "x" },
        { type: "file", file_id: strangers },
      ],
    },
  ];
  const refused = await api.call("POST", path, { body: { agent_id: agentId, sessions } });
  expect([refused.status, refused.json["errors"]]).toEqual([
    422,
    [{ path: "sessions[2].parts[1].file_id", message: "file not found" }],
  ]);
  const { agentId: theirs } = await createTestAgent(api.db, api.stranger.organizationId);
  const foreign = await api.call("POST", path, { body: { agent_id: theirs, sessions: texts(1) } });
  expect([foreign.status, foreign.json.code]).toEqual([404, "not_found"]);
  const body = { agent_id: agentId, version_id: "ver_01jx5m0k8c3f7q2v9t4w6y8z1a", sessions: texts(1) };
  expect((await api.call("POST", path, { body })).json).toMatchObject({ code: "conflict" });
  expect(await rowCounts()).toEqual({ sessions: 0, messages: 0, batches: 0, items: 0 });
});

test("429 before anything is written: the backlog, the messages per minute, the sessions that are kept", async () => {
  const { organizationId } = api.org;
  const set = (column: string, value: number | null) =>
    api.db.pool.query(`update organizations set ${column} = $2 where id = $1`, [organizationId, value]);
  const send = (count: number, key?: string) =>
    api.call("POST", path, {
      body: { agent_id: agentId, sessions: texts(count) },
      ...(key === undefined ? {} : { key }),
    });
  const { apiKey } = await createTestKey(api.db, organizationId, ["run"]);
  await api.db.pool.query("update api_keys set max_messages_per_minute = 2 where label = 'test' and scopes = '{run}'");
  const fast = await send(3, apiKey);
  expect([fast.status, fast.json.detail]).toEqual([429, expect.stringContaining("this request has 3")]);
  expect((await send(2, apiKey)).status).toBe(201);
  expect((await send(1, apiKey)).status).toBe(429);
  await set("max_sessions", 4);
  const kept = await send(3);
  expect([kept.status, kept.json.code]).toEqual([429, "quota_exceeded"]);
  await set("max_sessions", null);
  await set("max_backlog", 7);
  // Concurrently: each must see what the other adds.
  const both = await Promise.all([send(3), send(3)]);
  expect(both.map((reply) => reply.status).toSorted()).toEqual([201, 429]);
  const refused = both.find((reply) => reply.status === 429)!;
  expect([refused.json.code, Number(refused.headers.get("retry-after")) > 0]).toEqual(["limit_exceeded", true]);
  expect(await rowCounts()).toEqual({ sessions: 5, messages: 5, batches: 2, items: 5 });
});

test("counts are current; the end is that of the last message", async () => {
  const made = await create(texts(3));
  await api.db.pool.query(`update sessions set schedule = 'dispatched', ready_at = null,
    lease_until = clock_timestamp() + interval '1 minute', dispatch_number = 1`);
  await complete(api, await claim(api));
  await fail(api, await claim(api));
  const running = await claim(api);
  const during = (await api.call("GET", `${path}/${made.id}`)).json;
  expect(during).toMatchObject({
    status: "in_progress",
    counts: { ...noCounts, completed: 1, failed: 1, running: 1 },
    finished_at: null,
  });
  expect(await listedStatuses()).toEqual(["in_progress"]);
  const failed = await api.call("GET", `${path}/${made.id}/sessions?message_status=failed`);
  expect(failed.json["sessions"]).toMatchObject([{ error: { code: "timeout" } }]);
  await complete(api, running);
  const ended = (await api.call("GET", `${path}/${made.id}`)).json;
  expect(ended).toMatchObject({ status: "ended", finished_at: expect.any(String) });
  expect(await listedStatuses()).toEqual(["ended"]);
  const { sessionId } = running;
  // A later message of its session does not reopen the batch.
  const later = await api.call("POST", `/v1/sessions/${sessionId}/messages/async`, { body: text("and then?") });
  expect([later.status, await listedStatuses()]).toEqual([202, ["ended"]]);
  await api.call("POST", `/v1/messages/${String(later.json["id"])}/cancel`);
  expect((await api.call("DELETE", `/v1/sessions/${sessionId}`)).status).toBe(200);
  expect((await api.call("GET", `${path}/${made.id}`)).json).toMatchObject({
    status: "ended",
    counts: { completed: 1, failed: 1, deleted: 1 },
  });
  const rows = (await api.call("GET", `${path}/${made.id}/sessions`)).json["sessions"] as Row[];
  expect(rows.find((row) => row["session_id"] === sessionId)).toMatchObject({ message_status: null });
});

test("cancel ends waiting messages immediately, running ones when they stop; a repeat changes nothing", async () => {
  const made = await create(texts(250));
  await api.db.pool.query(
    `update sessions set schedule = 'dispatched', ready_at = null,
      lease_until = clock_timestamp() + interval '1 minute', dispatch_number = 1
      where id = (select session_id from session_batch_items where batch_id = $1 and number = 0)`,
    [made.id],
  );
  const turn = await claim(api);
  const cancelled = await api.call("POST", `${path}/${made.id}/cancel`);
  expect([cancelled.status, cancelled.json]).toEqual([
    200,
    expect.objectContaining({
      status: "cancelling",
      counts: { ...noCounts, running: 1, cancelled: 249 },
      cancel_requested_at: expect.any(String),
    }),
  ]);
  const { rows } = await api.db.pool.query("select cancel_requested_at from messages where id = $1", [turn.messageId]);
  expect(rows).toEqual([{ cancel_requested_at: expect.any(Date) }]);
  await create(texts(1));
  expect(await listedStatuses()).toEqual(["in_progress", "cancelling"]);
  const again = await api.call("POST", `${path}/${made.id}/cancel`);
  expect([again.status, again.json["cancel_requested_at"]]).toEqual([200, cancelled.json["cancel_requested_at"]]);
  const log = await api.call("GET", "/v1/organizations/current/audit-log");
  const actions = (log.json["audit_entries"] as Row[]).filter((entry) => entry["action"] === "session_batch.cancel");
  expect(actions).toMatchObject([{ target: made.id }]);
  expect(await findViolations(api.db)).toEqual([]);
});

test("lists are paged; another organization sees nothing", async () => {
  const ids = [await create(texts(3)), await create(texts(1))].map((row) => row.id).sort();
  const listed = await api.call("GET", `${path}?limit=1`);
  expect(listed.json).toMatchObject({
    data: [{ id: ids[1], total: expect.any(Number) }],
    has_more: true,
    next: ids[1],
  });
  expect((listed.json["data"] as Row[])[0]).not.toHaveProperty("counts");
  const rest = await api.call("GET", `${path}?after=${ids[1]}`);
  expect(rest.json).toMatchObject({ session_batches: [{ id: ids[0] }], has_more: false });
  const three = (await api.call("GET", path)).json["data"] as Row[];
  const of = three.find((row) => row["total"] === 3)!.id;
  const first = await api.call("GET", `${path}/${of}/sessions?limit=2`);
  expect((first.json["data"] as Row[]).map((row) => row["index"])).toEqual([0, 1]);
  const next = await api.call("GET", `${path}/${of}/sessions?after=${String(first.json["next"])}`);
  expect((next.json["data"] as Row[]).map((row) => row["index"])).toEqual([2]);
  for (const [method, rest] of [
    ["GET", ""],
    ["GET", "/sessions"],
    ["POST", "/cancel"],
  ] as const) {
    expect((await api.call(method, `${path}/${of}${rest}`, { key: api.stranger.apiKey })).status).toBe(404);
  }
  expect((await api.call("GET", path, { key: api.stranger.apiKey })).json["data"]).toEqual([]);
});

test("a thousand sessions are one transaction of a few statements", async () => {
  const made = await create(texts(limits.batchSessionsMax));
  expect(made).toMatchObject({ total: 1_000, counts: { ...noCounts, queued: 1_000 } });
  expect(await rowCounts()).toEqual({ sessions: 1_000, messages: 1_000, batches: 1, items: 1_000 });
  const { rows } = await api.db.pool.query("select count(distinct xmin::text)::int as n from messages");
  expect(rows).toEqual([{ n: 1 }]);
});

test("results are JSON lines in the order of the call; a retried message has its retry's result", async () => {
  const made = await create([text("good"), text("bad"), text("waits")]);
  const other = await create([text("another batch")]);
  for (const end of [complete, fail]) {
    await dispatch.dispatchIfReady(api.db, [{ organizationId: api.org.organizationId, count: 1 }], 60_000);
    await end(api, await claim(api));
  }
  const results = async () => {
    const reply = await api.call("GET", `${path}/${made.id}/results`);
    expect([reply.status, reply.headers.get("content-type")]).toEqual([200, "application/x-ndjson; charset=utf-8"]);
    const lines = reply.text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    for (const line of lines) expect(validate(BatchResult, line)).toEqual([]);
    return lines;
  };
  expect(await results()).toMatchObject([
    { index: 0, prompt: "good", status: "completed", answer: "done", error: null, duration_ms: expect.any(Number) },
    { index: 1, prompt: "bad", status: "failed", answer: null, error: { code: "timeout" } },
    { index: 2, prompt: "waits", status: "queued", answer: null, duration_ms: null },
  ]);
  const retry = (id: unknown) => api.call("POST", "/v1/messages/retry", { body: { filter: { session_batch_id: id } } });
  expect((await retry(other.id)).json).toMatchObject({ matched: 0 });
  const retried = (await retry(made.id)).json["retried"] as { retry_message_id: string }[];
  expect(retried).toHaveLength(1);
  expect((await results())[1]).toMatchObject({ status: "queued", message_id: retried[0]!.retry_message_id });
  const stranger = await api.call("GET", `${path}/${made.id}/results`, { key: api.stranger.apiKey });
  expect(stranger.status).toBe(404);
});
