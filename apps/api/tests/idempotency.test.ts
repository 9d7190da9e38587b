// One resource per key, however often and concurrently a creation is requested.

import { createHash } from "node:crypto";
import { routes, validate } from "@dari/contract";
import { sweepIdempotencyKeys } from "@dari/control/context";
import { limits } from "@dari/domain";
import { createTestAgent, createTestSession, createTestSourceSnapshot, waitUntil } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startApi } from "../src/index.ts";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";

let api: TestApi;
let agentId: string;
beforeAll(async () => {
  api = await startTestApi({ settings: { syncWaitMs: 30_000 } });
  agentId = (await createTestAgent(api.db, api.org.organizationId)).agentId;
});
afterAll(async () => api[Symbol.asyncDispose]());

const hello = { parts: [{ type: "text", text: "hello" }], metadata: { a: 1, b: 2 } };
const current = "/v1/organizations/current";

function post(path: string, key: string, body: unknown, headers: Record<string, string> = {}): Promise<TestReply> {
  const caller = path === "/v1/organizations" ? api.operator : api.org;
  return api.call("POST", path, { key: caller.apiKey, body, headers: { "idempotency-key": key, ...headers } });
}

function isReplay(reply: TestReply): boolean {
  return reply.headers.get("idempotent-replayed") === "true";
}

async function count(sql: string, ...values: string[]): Promise<number> {
  const { rows } = await api.db.pool.query<{ n: number }>(`select count(*)::int as n from ${sql}`, values);
  return rows[0]?.n ?? -1;
}

function session(): Promise<string> {
  return createTestSession(api.db, api.org.organizationId, agentId);
}

function cancel(messageId: unknown): Promise<TestReply> {
  return api.call("POST", `/v1/messages/${String(messageId)}/cancel`);
}

function expectOneCreation(replies: readonly TestReply[], status: number): void {
  expect(new Set(replies.map((reply) => reply.status))).toEqual(new Set([status]));
  expect(new Set(replies.map((reply) => reply.json["id"])).size).toBe(1);
  expect(replies.filter((reply) => !isReplay(reply))).toHaveLength(1);
}

const fifty = Array.from({ length: 50 });

test("fifty concurrent equal sends are one message, announced once it can be read", async () => {
  const sessionId = await session();
  const heard: Promise<number>[] = [];
  const stop = api.control.notifier.subscribe("session", sessionId, () => {
    heard.push(count("messages where session_id = $1", sessionId));
  });
  const send = () => post(`/v1/sessions/${sessionId}/messages/async`, "k-1", hello);
  expectOneCreation(await Promise.all(fifty.map(send)), 202);
  expect(await count("messages where session_id = $1", sessionId)).toBe(1);
  await waitUntil(() => heard.length > 0, { what: "the session's listeners to be woken" });
  stop();
  expect(await Promise.all(heard)).toEqual([1]);
});

test("fifty concurrent equal creations are one session", async () => {
  const before = await count("sessions where agent_id = $1", agentId);
  const create = () => post(`/v1/agents/${agentId}/sessions`, "k-sessions", { name: "one", secrets: { PIN: "1234" } });
  expectOneCreation(await Promise.all(fifty.map(create)), 201);
  expect(await count("sessions where agent_id = $1", agentId)).toBe(before + 1);
});

test("fifty equal sends that wait are one message, and all of them hear its end", async () => {
  const sessionId = await session();
  const sends = fifty.map(() => post(`/v1/sessions/${sessionId}/messages`, "k-sync", hello));
  const messageId = await waitUntil(
    async () => {
      const list = await api.call("GET", `/v1/sessions/${sessionId}/messages`);
      return (list.json.data as { id: string }[])[0]?.id;
    },
    { what: "the message to be accepted" },
  );
  await cancel(messageId);
  expectOneCreation(await Promise.all(sends), 200);
});

test("a turn is handed out only when its message is committed", async () => {
  const sessionId = await session();
  const delivered: Promise<number>[] = [];
  const { delivery, admission } = api.control;
  Object.assign(api.control, {
    admission: { mayDispatch: () => true },
    delivery: {
      available: true,
      async deliver(turns: readonly { messageId: string }[]) {
        for (const turn of turns) delivered.push(count("messages where id = $1", turn.messageId));
      },
    },
  });
  try {
    await Promise.all(fifty.map(() => post(`/v1/sessions/${sessionId}/messages/async`, "k-turn", hello)));
  } finally {
    Object.assign(api.control, { delivery, admission });
  }
  expect(await Promise.all(delivered)).toEqual([1]);
});

test("another body is refused, the same one in another order is not", async () => {
  const path = `/v1/sessions/${await session()}/messages/async`;
  const first = await post(path, "k-body", hello);
  const { parts, metadata } = hello;
  const reordered = await post(path, "k-body", { metadata: { b: metadata.b, a: metadata.a }, parts });
  expect([reordered.status, isReplay(reordered), reordered.json["id"]]).toEqual([202, true, first.json["id"]]);
  for (const body of [{ parts }, { ...hello, metadata: { a: 1, b: 3 } }, { ...hello, delivery: "async" }]) {
    const reply = await post(path, "k-body", body);
    expect([reply.status, reply.json.code, isReplay(reply)]).toEqual([409, "idempotency_key_reused", false]);
  }
});

test("a key counts for one organization and one path", async () => {
  const [one, two] = [await session(), await session()];
  const replies = [
    await post(`/v1/sessions/${one}/messages/async`, "k-scope", hello),
    await post(`/v1/sessions/${two}/messages/async`, "k-scope", { ...hello, metadata: {} }),
    await post(`${current}/invitations`, "k-scope", { email: "a@example.com", role: "member" }),
    await api.call("POST", `${current}/invitations`, {
      key: api.stranger.apiKey,
      headers: { "idempotency-key": "k-scope" },
      body: { email: "b@example.com", role: "admin" },
    }),
  ];
  expect(replies.map((reply) => [reply.status, isReplay(reply)])).toEqual([
    [202, false],
    [202, false],
    [201, false],
    [201, false],
  ]);
});

test("a replay shows the current resource, and a deleted one as deleted", async () => {
  const sessionId = await session();
  const path = `/v1/sessions/${sessionId}/messages`;
  const first = await post(path, "k-now", hello, { prefer: "respond-async" });
  expect([first.status, first.json["status"]]).toEqual([202, "queued"]);
  await cancel(first.json["id"]);
  const replay = await post(path, "k-now", hello);
  expect([replay.status, isReplay(replay), replay.json["status"]]).toEqual([200, true, "cancelled"]);
  await api.call("DELETE", `/v1/sessions/${sessionId}`);
  const late = await post(path, "k-now", hello);
  expect([late.status, isReplay(late)]).toEqual([404, false]);
});

test("a refused call leaves the key free", async () => {
  const sessionId = await session();
  const path = `/v1/sessions/${sessionId}/messages/async`;
  const unknown = { parts: [{ type: "file", file_id: "file_01jx5m0k8c3f7q2v9t4w6y8z1a" }] };
  const refusals = await Promise.all([1, 2, 3].map(() => post(path, "k-refused", unknown)));
  expect(refusals.map((reply) => reply.status)).toEqual([422, 422, 422]);
  const created = await post(path, "k-refused", hello);
  expect([created.status, isReplay(created), created.json["sequence_number"]]).toEqual([202, false, 1]);
  expect(isReplay(await post(path, "k-refused", hello))).toBe(true);
});

test("a connection that breaks leaves neither key nor message, and the call can be repeated", async () => {
  const sessionId = await session();
  const path = `/v1/sessions/${sessionId}/messages/async`;
  const other = await api.db.pool.connect();
  try {
    // The application's role may not end others' connections.
    await other.query("set role none");
    await other.query("begin");
    await other.query("select 1 from sessions where id = $1 for update", [sessionId]);
    const sent = post(path, "k-crash", hello);
    await waitUntil(
      async () => {
        const { rowCount } = await other.query(
          `select pg_terminate_backend(pid) from pg_locks
          where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))`,
        );
        return rowCount === 1;
      },
      { what: "the send to be in the middle of its transaction" },
    );
    expect((await sent).status).toBe(503);
    await other.query("rollback");
  } finally {
    other.release(true);
  }
  expect(await count("idempotency_keys where path = $1", path)).toBe(0);
  expect(await count("messages where session_id = $1", sessionId)).toBe(0);
  const again = await post(path, "k-crash", hello);
  expect([again.status, isReplay(again)]).toEqual([202, false]);
});

function upload(key: string, filename: string, bytes: string): Promise<TestReply> {
  const form = new FormData();
  form.append("file", new Blob([bytes], { type: "text/plain" }), filename);
  return api.call("POST", "/v1/files", { body: form, headers: { "idempotency-key": key } });
}

async function objects(): Promise<number> {
  return (await api.objects()).length;
}

test("equal uploads are one file and leave no second object; other bytes or names are refused", async () => {
  const before = await objects();
  const replies = await Promise.all([1, 2, 3, 4, 5].map(() => upload("k-file", "a.txt", "same")));
  expectOneCreation(replies, 201);
  expect(await objects()).toBe(before + 1);
  for (const [name, bytes] of [
    ["a.txt", "other"],
    ["b.txt", "same"],
  ] as const) {
    expect((await upload("k-file", name, bytes)).json.code).toBe("idempotency_key_reused");
  }
  expect(await objects()).toBe(before + 1);
  const content = await api.call("GET", `/v1/files/${String(replies[0]?.json["id"])}/content`);
  expect([content.status, content.text]).toEqual([200, "same"]);
});

test("a secret is shown to the first call only", async () => {
  for (const [path, body] of [
    [`${current}/api-keys`, { label: "ci" }],
    ["/v1/organizations", { name: "Another" }],
  ] as const) {
    const first = await post(path, "k-secret", body);
    const replay = await post(path, "k-secret", body);
    expect([replay.status, isReplay(replay)]).toEqual([201, true]);
    const { api_key, ...record } = first.json;
    expect(api_key).toMatch(/^dari_/);
    expect(replay.json).toEqual(record);
  }
});

test("a publication is replayed with the current state of its version", async () => {
  const sourceSnapshotId = await createTestSourceSnapshot(api.db, api.org.organizationId);
  const body = { source_snapshot_id: sourceSnapshotId };
  const agent = await post("/v1/agents", "k-agent", body);
  expect(agent.status).toBe(201);
  const versions = `/v1/agents/${String(agent.json["id"])}/versions`;
  const version = await post(versions, "k-version", body);
  await api.db.pool.query(
    `update versions set state = 'failed', finished_at = now(), failure = '{"code": "build_failed", "message": "x"}'
    where id = $1`,
    [version.json["version_id"]],
  );
  const replays = [await post("/v1/agents", "k-agent", body), await post(versions, "k-version", body)];
  expect(replays.map(isReplay)).toEqual([true, true]);
  expect(replays[0]?.json).toEqual(agent.json);
  expect(replays[1]?.json).toEqual({ ...version.json, version_status: "failed" });
  expect(await count("versions where agent_id = $1", String(agent.json["id"]))).toBe(2);
});

test("a reserved bundle is replayed with its first address", async () => {
  const sha256 = createHash("sha256").update("x").digest("hex");
  const body = { format: "tar.gz", sha256, size_bytes: 1 };
  const first = await post("/v1/source-snapshots", "k-bundle", body);
  const replay = await post("/v1/source-snapshots", "k-bundle", body);
  expect([replay.status, isReplay(replay)]).toEqual([201, true]);
  expect(replay.json).toEqual(first.json);
  expect(validate(routes.createSourceSnapshot.reply, replay.json)).toEqual([]);
});

test("a key has 1 to 255 characters, and is read only by calls that create something", async () => {
  const path = `/v1/sessions/${await session()}/messages/async`;
  for (const key of ["", "k".repeat(256)]) {
    const reply = await post(path, key, hello);
    expect([reply.status, reply.json["errors"]]).toEqual([422, [expect.objectContaining({ path: "Idempotency-Key" })]]);
    expect((await post("/v1/me/bootstrap", key, {})).status).toBe(200);
  }
  expect((await post(path, "k".repeat(255), hello)).status).toBe(202);
});

test("a body that nests without end is refused, not fatal", async () => {
  const depth = 200_000;
  const manifest = `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  const body = `{"source_snapshot_id":"src_01jx5m0k8c3f7q2v9t4w6y8z1a","manifest":${manifest}}`;
  const reply = await post("/v1/agents", "k-deep", body);
  expect([404, 422]).toContain(reply.status);
});

test("a key outlives the server that took it, and is forgotten after its time", async () => {
  const path = `/v1/sessions/${await session()}/messages/async`;
  const first = await post(path, "k-restart", hello);
  await using other = await startApi({ control: api.control, host: "127.0.0.1", port: 0, graceMs: 1_000 });
  const send = () =>
    fetch(`${other.url}${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${api.org.apiKey}`, "idempotency-key": "k-restart" },
      body: JSON.stringify(hello),
    });
  const replay = await send();
  expect(replay.headers.get("idempotent-replayed")).toBe("true");
  expect(((await replay.json()) as { id: string }).id).toBe(first.json["id"]);
  const age = `update idempotency_keys
    set created_at = clock_timestamp() - $2 * interval '1 millisecond' where path = $1`;
  await api.db.pool.query(age, [path, limits.idempotencyKeepMs - 60_000]);
  expect(await sweepIdempotencyKeys(api.db)).toBe(0);
  await api.db.pool.query(age, [path, limits.idempotencyKeepMs + 1]);
  expect(await sweepIdempotencyKeys(api.db)).toBe(1);
  expect((await send()).headers.get("idempotent-replayed")).toBeNull();
});
