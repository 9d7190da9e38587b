// Sessions and messages as clients see them. The tests end the turns themselves; running turns is tested with the
// worker.

import { routes, validate } from "@dari/contract";
import { turns } from "@dari/db";
import { createTestAgent, createTestFile, createTestMessage, createTestSession, waitUntil } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { claim, complete, finish } from "./turn.ts";

let api: TestApi;
let agentId: string;
beforeAll(async () => {
  api = await startTestApi({ settings: { syncWaitMs: 30_000 } });
  agentId = (await createTestAgent(api.db, api.org.organizationId)).agentId;
});
afterAll(async () => api[Symbol.asyncDispose]());

const hello = { parts: [{ type: "text", text: "hello" }] };

async function start(body?: unknown): Promise<string> {
  const reply = await api.call("POST", `/v1/agents/${agentId}/sessions`, body === undefined ? {} : { body });
  if (reply.status !== 201) throw new Error(reply.text);
  return String(reply.json["id"]);
}

function post(sessionId: string, body: unknown, suffix = "", headers: Record<string, string> = {}): Promise<TestReply> {
  return api.call("POST", `/v1/sessions/${sessionId}/messages${suffix}`, { body, headers });
}

/** Creates a queued message in a session that a claim finds. */
async function queued(): Promise<{ sessionId: string; messageId: string }> {
  const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
  return { sessionId, messageId: await createTestMessage(api.db, api.org.organizationId, sessionId) };
}

test("a session is created with no body at all, whatever the content type says", async () => {
  const path = `/v1/deployments/${agentId.replace("agt_", "dep_")}/sessions`;
  for (const options of [
    {},
    { headers: { "content-type": "application/json" } },
    { headers: { "content-type": "application/json" }, body: "" },
    { body: "{}" },
    { body: {} },
  ]) {
    const reply = await api.call("POST", path, options);
    expect(reply.status).toBe(201);
    expect(validate(routes.createSession.reply, reply.json)).toEqual([]);
    expect(reply.json).toMatchObject({
      status: "idle",
      agent_id: agentId,
      last_message_id: null,
      last_message_status: null,
    });
  }
});

test("sessions are listed by agent, status and metadata, and only to their organization", async () => {
  const mine = await start({ name: "mine", metadata: { team: "blue", n: 7, urgent: true } });
  const other = await createTestAgent(api.db, api.org.organizationId);
  const find = async (query: string, key?: string): Promise<string[]> => {
    const reply = await api.call("GET", `/v1/sessions?limit=500&${query}`, key === undefined ? {} : { key });
    expect(validate(routes.listSessions.reply, reply.json)).toEqual([]);
    return (reply.json["sessions"] as { id: string }[]).map((session) => session.id);
  };
  expect(await find("metadata.team=blue")).toEqual([mine]);
  expect(await find("metadata.n=7&metadata.urgent=true")).toEqual([mine]);
  expect(await find("metadata.team=blue&metadata.n=8")).toEqual([]);
  expect(await find("metadata.it's=\"'--")).toEqual([]);
  expect(await find(`agent_id=${other.agentId}`)).toEqual([]);
  expect(await find(`agent_id=${agentId.replace("agt_", "dep_")}`)).toContain(mine);
  expect(await find("status=idle")).toContain(mine);
  expect(await find("status=active")).not.toContain(mine);
  expect(await find("metadata.team=blue", api.stranger.apiKey)).toEqual([]);
  await post(mine, hello, "/async");
  expect(await find("status=active")).toEqual([mine]);
  expect((await api.call("GET", "/v1/sessions?status=open")).status).toBe(422);
  expect((await api.call("GET", "/v1/sessions?metadata.a=%00")).status).toBe(422);
});

test("a page has fewer rows if they are large, and all pages together have every row", async () => {
  const large = await createTestAgent(api.db, api.org.organizationId);
  const made = await Promise.all([1, 2].map(() => createTestSession(api.db, api.org.organizationId, large.agentId)));
  const sent = await post(made[0]!, hello, "/async");
  const blob = `jsonb_build_object('a', repeat('x', 5000000))`;
  await api.db.pool.query(`update sessions set metadata = ${blob} where agent_id = $1`, [large.agentId]);
  const rows = async (path: string): Promise<string[]> => {
    const { json } = await api.call("GET", path);
    const next = json.next === null ? [] : await rows(path.replace(/&after=.*|$/, `&after=${String(json.next)}`));
    expect((json.data as unknown[]).length).toBe(1);
    return [...(json.data as { id: string }[]).map(({ id }) => id), ...next];
  };
  expect((await rows(`/v1/sessions?limit=500&agent_id=${large.agentId}`)).toSorted()).toEqual(made.toSorted());
  await post(made[0]!, hello, "/async");
  const change = `jsonb_build_object('path', repeat('x', 5000000), 'change', 'created', 'size_bytes', 1)`;
  await api.db.pool.query(`update messages set files_changed = jsonb_build_array(${change}) where session_id = $1`, [
    made[0],
  ]);
  const listed = await rows(`/v1/sessions/${made[0]}/messages?limit=500`);
  expect([listed.length, listed[0]]).toEqual([2, sent.json["id"]]);
  await api.call("DELETE", `/v1/sessions/${made[0]}?cancel=1`);
});

test("an asynchronous message is accepted immediately and numbered in order", async () => {
  const sessionId = await start();
  const replies = [
    await post(sessionId, hello, "/async"),
    await post(sessionId, { ...hello, delivery: "async", metadata: { a: 1 } }),
    await post(sessionId, hello, "", { prefer: "respond-async" }),
  ];
  for (const [index, reply] of replies.entries()) {
    expect([reply.status, reply.json["status"], reply.json["sequence_number"]]).toEqual([202, "queued", index + 1]);
    expect(validate(routes.sendMessageAsync.reply, reply.json)).toEqual([]);
    expect(reply.json).toMatchObject({ attempt: 1, max_attempts: 3, output: null, files_changed: [] });
  }
  const list = await api.call("GET", `/v1/sessions/${sessionId}/messages?limit=2`);
  expect(validate(routes.listMessages.reply, list.json)).toEqual([]);
  expect(list.json).toMatchObject({ has_more: true, next: replies[1]?.json["id"] });
  const rest = await api.call("GET", `/v1/sessions/${sessionId}/messages?after=${String(list.json["next"])}`);
  expect(rest.json).toMatchObject({ has_more: false, data: [{ sequence_number: 3 }] });
  const foreign = await queued();
  expect((await api.call("GET", `/v1/sessions/${sessionId}/messages?after=${foreign.messageId}`)).status).toBe(422);
  await api.call("POST", `/v1/messages/${foreign.messageId}/cancel`);
  const session = await api.call("GET", `/v1/sessions/${sessionId}`);
  expect(session.json).toMatchObject({
    status: "active",
    last_message_id: replies[2]?.json["id"],
    last_message_status: "queued",
  });
});

test("a file that is unknown, deleted or another organization's is refused before anything is queued", async () => {
  const sessionId = await start();
  const mine = await createTestFile(api.db, api.org.organizationId);
  const deleted = await createTestFile(api.db, api.org.organizationId);
  await api.call("DELETE", `/v1/files/${deleted}`);
  const foreign = await createTestFile(api.db, api.stranger.organizationId);
  for (const file_id of [deleted, foreign, "file_01jx5m0k8c3f7q2v9t4w6y8z1a"]) {
    const parts = [
      { type: "text", text: "see" },
      { type: "file", file_id: mine },
      { type: "image", file_id },
    ];
    const reply = await post(sessionId, { parts }, "/async");
    expect(reply.status).toBe(422);
    expect(reply.json["errors"]).toEqual([expect.objectContaining({ path: "parts[2].file_id" })]);
  }
  expect((await api.call("GET", `/v1/sessions/${sessionId}/messages`)).json["data"]).toEqual([]);
});

test("a synchronous message waits for its end", async () => {
  const sessionId = await start();
  const waiting = post(sessionId, hello);
  const messageId = await waitUntil(
    async () => {
      const list = await api.call("GET", `/v1/sessions/${sessionId}/messages`);
      return (list.json.data as { id: string }[])[0]?.id;
    },
    { what: "the message to be accepted" },
  );
  await api.call("POST", `/v1/messages/${messageId}/cancel`);
  const reply = await waiting;
  expect([reply.status, reply.json["id"], reply.json["status"]]).toEqual([200, messageId, "cancelled"]);
  expect(reply.json["output"]).toEqual({ parts: [], error: { code: "cancelled", message: expect.any(String) } });
});

test("a completed turn shows its output, files, timings, and its last event carries the record", async () => {
  const { sessionId, messageId } = await queued();
  const turn = await claim(api);
  const running = await api.call("GET", `/v1/messages/${messageId}`);
  expect(running.json).toMatchObject({ status: "running", attempt: 1, completed_at: null });
  await turns.appendLogsIfHeld(api.db, turn, [
    { sequenceNumber: 0, stream: "stdout", text: "one\ntw" },
    { sequenceNumber: 1, stream: "stdout", text: "o\n" },
    { sequenceNumber: 2, stream: "stderr", text: "warn" },
  ]);
  await complete(api, turn, { files: { "output/reply.md": "# hi\n" } });

  const record = await api.call("GET", `/v1/messages/${messageId}`);
  expect(validate(routes.getMessage.reply, record.json)).toEqual([]);
  expect(record.json).toMatchObject({
    status: "completed",
    output: { parts: [{ type: "text", text: "done" }] },
    files_changed: [{ path: "/output/reply.md", change: "created", size_bytes: 5 }],
    timings: { run_ms: 3 },
  });
  expect(record.headers.get("server-timing")).toBe("run;dur=3");
  const files = await api.call("GET", `/v1/messages/${messageId}/files`);
  expect(files.json).toEqual({
    message_id: messageId,
    session_id: sessionId,
    files_changed: record.json["files_changed"],
  });
  const logs = await api.call("GET", `/v1/messages/${messageId}/logs?attempt=1`);
  expect(logs.text).toBe("== attempt 1\n[stdout] one\n[stdout] two\n[stderr] warn\n");
  expect((await api.call("GET", `/v1/messages/${messageId}/logs?attempt=9`)).status).toBe(404);

  const events = await api.call("GET", `/v1/sessions/${sessionId}/events`);
  expect(validate(routes.listEvents.reply, events.json)).toEqual([]);
  const rows = events.json["events"] as { type: string; sequence_number: number; id: string; data: unknown }[];
  expect(rows.map((row) => row.sequence_number)).toEqual(rows.map((_row, index) => index + 1));
  expect(new Set(rows.map((row) => row.id)).size).toBe(rows.length);
  expect(rows[0]?.type).toBe("session.created");
  expect(rows.find((row) => row.type === "message.completed")?.data).toEqual(record.json);

  const page = await api.call("GET", `/v1/sessions/${sessionId}/events?after_seq=2&limit=3`);
  expect(page.json).toMatchObject({ has_more: true, next: "5" });
  const next = await api.call("GET", `/v1/sessions/${sessionId}/events?after=5&limit=500`);
  expect(next.json).toMatchObject({ has_more: false, next: null });
  expect((next.json["data"] as unknown[]).length).toBe(rows.length - 5);
  expect((await api.call("GET", `/v1/sessions/${sessionId}/events?after_seq=x`)).status).toBe(422);
});

test("a message between two attempts says that it waits for a retry", async () => {
  const { messageId } = await queued();
  const failure = { code: "agent_error", message: "boom" } as const;
  await finish(api, await claim(api), { ending: "retry", failure, waitMs: 60_000 });
  const record = await api.call("GET", `/v1/messages/${messageId}`);
  expect(record.json).toMatchObject({ status: "queued", waiting_reason: "retry", attempt: 1 });
  const cancelled = await api.call("POST", `/v1/messages/${messageId}/cancel`);
  expect([cancelled.status, cancelled.json["status"]]).toEqual([200, "cancelled"]);
});

test("a running message is asked to stop, and cancelling what has ended changes nothing", async () => {
  const { messageId } = await queued();
  const turn = await claim(api);
  const asked = await api.call("POST", `/v1/messages/${messageId}/cancel`);
  expect([asked.status, asked.json["status"]]).toEqual([202, "running"]);
  await finish(api, turn, { ending: "cancelled" });
  for (let i = 0; i < 2; i++) {
    const again = await api.call("POST", `/v1/messages/${messageId}/cancel`);
    expect([again.status, again.json["status"]]).toEqual([200, "cancelled"]);
  }
});

test("a session ends once, keeps its record, and accepts no more messages", async () => {
  const sessionId = await start();
  const done = await api.call("POST", `/v1/sessions/${sessionId}/complete`);
  expect([done.status, done.json["status"]]).toEqual([200, "completed"]);
  expect(validate(routes.completeSession.reply, done.json)).toEqual([]);
  expect((await api.call("POST", `/v1/sessions/${sessionId}/complete`)).status).toBe(409);
  expect((await post(sessionId, hello, "/async")).status).toBe(409);
  const events = await api.call("GET", `/v1/sessions/${sessionId}/events`);
  expect((events.json.data as unknown[]).at(-1)).toMatchObject({
    type: "session.status_changed",
    data: { status: "completed" },
  });
});

test.each(["complete", "delete"] as const)(
  "open messages keep a session from its %s unless they are cancelled",
  async (how) => {
    const { sessionId, messageId } = await queued();
    const turn = await claim(api);
    const later = await createTestMessage(api.db, api.org.organizationId, sessionId);
    const end = (query: string): Promise<TestReply> =>
      how === "complete"
        ? api.call("POST", `/v1/sessions/${sessionId}/complete${query}`)
        : api.call("DELETE", `/v1/sessions/${sessionId}${query}`);
    expect((await end("")).status).toBe(409);
    expect((await end("?cancel=1")).status).toBe(200);
    // Its worker sees the request and ends it.
    await finish(api, turn, { ending: "cancelled" });
    for (const id of [messageId, later]) {
      const record = await api.call("GET", `/v1/messages/${id}`);
      expect([record.status, record.json["status"]]).toEqual(
        how === "complete" ? [200, "cancelled"] : [404, undefined],
      );
    }
    if (how === "delete") expect((await api.call("GET", `/v1/sessions/${sessionId}`)).status).toBe(404);
  },
);

test("session secrets are sealed and never shown", async () => {
  const sessionId = await start({ secrets: { API_TOKEN: "s3cr3t-value" } });
  const { rows } = await api.db.pool.query("select name, sealed from session_secrets where session_id = $1", [
    sessionId,
  ]);
  expect(rows).toHaveLength(1);
  expect(String(rows[0].sealed)).not.toContain("s3cr3t-value");
  const context = { organizationId: api.org.organizationId, name: "API_TOKEN" };
  expect(api.control.sealer.open(rows[0].sealed, context)).toBe("s3cr3t-value");
  for (const path of ["", "/events"]) {
    expect((await api.call("GET", `/v1/sessions/${sessionId}${path}`)).text).not.toContain("s3cr3t-value");
  }
});
