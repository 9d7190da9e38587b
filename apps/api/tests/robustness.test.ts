// What all routes share: the form of errors, request ids, an unavailable database, and the drain.

import { once } from "node:events";
import { connect } from "node:net";
import { createTestAgent, createTestMessage, createTestSession, waitUntil } from "@dari/testkit";
import { expect, test } from "@jest/globals";
import { startApi } from "../src/index.ts";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";

function expectError(reply: TestReply, status: number, code: string): void {
  expect([reply.status, reply.json.code]).toEqual([status, code]);
  expect(reply.json).toMatchObject({ detail: expect.any(String), request_id: reply.headers.get("x-request-id") });
}

async function raw(api: TestApi, text: string): Promise<string> {
  const socket = connect(api.api.port, "127.0.0.1");
  socket.end(text);
  let answer = "";
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

test("unknown routes, methods and bodies are refused in one shape", async () => {
  await using api = await startTestApi();
  for (const path of ["/", "/v1", "/v1/nothing", "/v2/agents", "/v1/Agents", "/v1/agents/%zz"]) {
    const reply = await api.call("GET", path);
    expect([path, [404, 422].includes(reply.status), reply.json.code !== undefined]).toEqual([path, true, true]);
  }
  expect((await api.call("GET", "/")).json.detail).toContain("the console is at /console");
  const undecodable = await api.call("GET", "/v1/agents/%zz");
  expectError(undecodable, 422, "invalid");
  expect(undecodable.json.detail).toBe("the request cannot be read: Failed to decode param '%zz'");
  expect(undecodable.json["errors"]).toBeUndefined();
  const patched = await api.call("PATCH", "/v1/agents");
  expectError(patched, 405, "not_found");
  expect(patched.headers.get("allow")).toBe("POST, GET");
  expectError(
    await api.call("POST", "/v1/sessions/sess_01jx5m0k8c3f7q2v9t4w6y8z1a/messages/later", { body: {} }),
    404,
    "not_found",
  );

  const broken = await api.call("POST", "/v1/agents", { body: '{"a": 1,,}' });
  expectError(broken, 422, "invalid");
  expect(broken.json.detail).toMatch(/position 8/);
  expectError(await api.call("POST", "/v1/organizations", { body: "x".repeat(4 * 1024 * 1024 + 1) }), 413, "too_large");
  const charset = { "content-type": "application/json; charset=klingon" };
  expectError(await api.call("POST", "/v1/agents", { body: "{}", headers: charset }), 422, "invalid");
  expectError(await api.call("POST", "/v1/organizations", { body: '{"name": "a\\u0000b"}' }), 422, "invalid");
  expectError(await api.call("POST", "/v1/organizations", { body: "null" }), 422, "invalid");
});

test("a body of millions of values is not checked one by one, and a body without a key must be short", async () => {
  await using api = await startTestApi();
  const most = await api.call("POST", "/v1/agents", { body: ` [ [${"{} , ".repeat(149_998)}{ }]] ` });
  const noBundle = [{ path: "body", message: "expected either source_snapshot_id or source" }];
  expect(most.json["errors"]).toEqual(noBundle);
  const many = await api.call("POST", "/v1/agents", { body: `[[${"{},".repeat(149_999)}{}]]` });
  expectError(many, 422, "invalid");
  expect(many.json["errors"]).toEqual([{ path: "body", message: "expected at most 150000 values" }]);
  for (const path of ["/v1/auth/link", "/v1/auth/device", "/v1/auth/device/token"]) {
    const body = `[${"{},".repeat(6_000)}{}]`;
    expectError(await api.call("POST", path, { key: null, body }), 413, "too_large");
  }
});

test("of a body with very many wrong values, one problem is listed", async () => {
  await using api = await startTestApi();
  const fields = Array.from({ length: 20_000 }, (_, index) => `"k${index}":1`).join(",");
  const reply = await api.call("POST", "/v1/agents", { body: `{${fields}}` });
  expectError(reply, 422, "invalid");
  expect(reply.json["errors"]).toHaveLength(1);
});

test("commas in texts are no values, and JSON must be UTF-8", async () => {
  await using api = await startTestApi();
  const commas = await api.call("POST", "/v1/organizations", {
    key: api.operator.apiKey,
    body: JSON.stringify({ name: "x", more: `\\"${",[{".repeat(100_000)}` }),
  });
  expect(commas.json["errors"]).toEqual([{ path: "more", message: "unsupported field" }]);
  const named = { "content-type": 'application/json; charset="UTF-8"' };
  const read = await api.call("POST", "/v1/organizations", { body: "{}", headers: named });
  expect(read.json["errors"]).toEqual([{ path: "name", message: "field is required" }]);
  const headers = { "content-type": "application/json; charset=utf-16le" };
  const encoded = await api.call("POST", "/v1/agents", { body: Buffer.from("{}", "utf16le"), headers });
  expect(encoded.json["errors"]).toEqual([{ path: "body", message: "expected JSON in UTF-8" }]);
});

test("an escaped path is not an id: its other methods are not allowed", async () => {
  await using api = await startTestApi();
  for (const path of ["/v1/files/uploads", "/v1/sessions/import", "/v1/messages/retry"]) {
    const reply = await api.call("GET", path);
    expectError(reply, 405, "not_found");
    expect([path, reply.headers.get("allow")]).toEqual([path, "POST"]);
  }
});

test("a body that can be left out is not null", async () => {
  await using api = await startTestApi();
  const path = "/v1/me/bootstrap";
  expect((await api.call("POST", path, { body: "" })).status).toBe(200);
  expect((await api.call("POST", path, { body: "{}" })).status).toBe(200);
  expectError(await api.call("POST", path, { body: "null" }), 422, "invalid");
});

test("a JSON body is read whatever its content type says", async () => {
  await using api = await startTestApi();
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const reply = await api.call("POST", "/v1/organizations", {
    key: api.operator.apiKey,
    body: '{"name": "curl -d"}',
    headers,
  });
  expect(reply.status).toBe(201);
});

test("every reply carries a request id; a sane one of the client's is kept", async () => {
  await using api = await startTestApi();
  const headers = { "x-request-id": "trace-42.a_b:c" };
  expect((await api.call("GET", "/v1/agents", { headers })).headers.get("x-request-id")).toBe("trace-42.a_b:c");
  expect((await api.call("GET", "/v1/agents", { key: null, headers })).json["request_id"]).toBe("trace-42.a_b:c");
  const made = (await api.call("GET", "/v1/agents", { headers: { "x-request-id": "no spaces <b>" } })).headers.get(
    "x-request-id",
  );
  expect(made).toMatch(/^[0-9a-f-]{36}$/);
  const reply = await api.call("GET", "/v1/agents");
  expect(reply.headers.get("x-powered-by")).toBeNull();
  expect(reply.headers.get("etag")).toBeNull();
  expect(
    api.log.filter((line) => line.event === "request" && line.fields["request_id"] === "trace-42.a_b:c"),
  ).toHaveLength(2);
});

test("authorization is understood in any case and refused in any other form", async () => {
  await using api = await startTestApi();
  const status = async (authorization: string): Promise<number> =>
    (await api.call("GET", "/v1/agents", { key: null, headers: { authorization } })).status;
  expect(await status(`bearer ${api.org.apiKey}`)).toBe(200);
  for (const header of [
    api.org.apiKey,
    `Basic ${api.org.apiKey}`,
    "Bearer",
    `Bearer ${api.org.apiKey} x`,
    `Bearer ${api.org.apiKey}x`,
  ]) {
    expect([header, await status(header)]).toEqual([header, 401]);
  }
});

test("an unexpected failure is logged in full, and the caller gets no details", async () => {
  await using api = await startTestApi();
  await api.db.pool.query("select 1");
  Object.assign(api.control, {
    sealer: {
      seal: () => {
        throw new Error("outer", { cause: new Error("the master key is made of cheese") });
      },
    },
  });
  const reply = await api.call("PUT", "/v1/organizations/current/credentials/A", { body: { value: "x" } });
  expectError(reply, 500, "internal");
  expect(reply.text).not.toMatch(/cheese|outer|at /);
  const line = api.log.find((entry) => entry.level === "error");
  expect(line?.fields["request_id"]).toBe(reply.json["request_id"]);
  expect((line?.fields["err"] as Error).cause).toMatchObject({ message: "the master key is made of cheese" });
});

test("without its database the API answers 503 with Retry-After, and is not ready", async () => {
  await using api = await startTestApi();
  expect((await api.call("GET", "/readyz", { key: null })).status).toBe(200);
  await using away = await startTestApi();
  // Returns the connections of a pool that was closed on the other side, to a port without a listener.
  const { openDatabase } = await import("@dari/db");
  const db = openDatabase({ url: "postgres://dari@127.0.0.1:9/none", poolMax: 1, applicationName: "away" });
  Object.assign(away.control, { db });
  const reply = await away.call("GET", "/v1/agents");
  expectError(reply, 503, "unavailable");
  expect(Number(reply.headers.get("retry-after"))).toBeGreaterThan(0);
  const ready = await away.call("GET", "/readyz", { key: null });
  const checks = { database: "failed", accepting: "failed", serving: "ok" };
  expect([ready.status, ready.json]).toEqual([503, { ok: false, checks }]);
  const logged = away.log.find(({ event }) => event === "api.not_ready");
  expect(logged?.fields).toMatchObject({ checks: { database: expect.stringContaining("ECONNREFUSED") } });
  expect((await away.call("GET", "/healthz", { key: null })).json).toEqual({ ok: true });
  await db.close();
});

test("a request that is not HTTP is closed without harm", async () => {
  await using api = await startTestApi();
  expect(await raw(api, "rubbish\r\n\r\n")).toMatch(/^HTTP\/1\.1 400/);
  expect((await api.call("GET", "/v1/agents")).status).toBe(200);
});

test("the drain answers waiting callers with the record so far, and then closes", async () => {
  await using api = await startTestApi();
  const { organizationId } = api.org;
  const { agentId } = await createTestAgent(api.db, organizationId);
  const sessionId = await createTestSession(api.db, organizationId, agentId);
  await createTestMessage(api.db, organizationId, sessionId);
  const waiting = api.call("POST", `/v1/sessions/${sessionId}/messages/sync`, {
    body: { parts: [{ type: "text", text: "x" }] },
  });
  await waitUntil(
    async () => {
      const { rows } = await api.db.pool.query("select count(*)::int as n from messages where session_id = $1", [
        sessionId,
      ]);
      return rows[0].n === 2;
    },
    { what: "the message to be accepted" },
  );
  const closed = api.api.close();
  const reply = await waiting;
  expect([reply.status, reply.json["status"], reply.headers.get("connection")]).toEqual([202, "queued", "close"]);
  await closed;
  await expect(api.call("GET", "/healthz")).rejects.toThrow();
});

test("a connection that never sends a request does not delay the drain", async () => {
  await using api = await startTestApi();
  const server = await startApi({ control: api.control, host: "127.0.0.1", port: 0, graceMs: 60_000 });
  const silent = connect(server.port, "127.0.0.1");
  await once(silent, "connect");
  const ended = once(silent, "close");
  await server.close();
  await ended;
});

test("a download that is under way when the drain starts is completed and does not delay the drain", async () => {
  await using api = await startTestApi();
  const server = await startApi({ control: api.control, host: "127.0.0.1", port: 0, graceMs: 60_000 });
  // More than the buffers of both ends hold, so that the server still sends when the drain starts.
  const sizeBytes = 32 * 1024 * 1024;
  const form = new FormData();
  form.set("file", new Blob([Buffer.alloc(sizeBytes)]), "large.bin");
  const { id } = (await api.call("POST", "/v1/files", { body: form })).json;
  const reader = connect(server.port, "127.0.0.1");
  reader.write(
    `GET /v1/files/${String(id)}/content HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${api.org.apiKey}\r\n\r\n`,
  );
  await once(reader, "readable");
  const closed = server.close();
  let received = 0;
  for await (const chunk of reader) received += (chunk as Buffer).length;
  await closed;
  expect(received).toBeGreaterThan(sizeBytes);
});

test("a port that is taken is reported with what to do", async () => {
  await using api = await startTestApi();
  const { port } = api.api;
  const second = startApi({ control: api.control, host: "127.0.0.1", port });
  await expect(second).rejects.toThrow(`port ${port} of 127.0.0.1 is taken: set DARI_PORT to another one`);
});

test("a client that goes away ends its wait and not its message", async () => {
  await using api = await startTestApi();
  const { organizationId } = api.org;
  const { agentId } = await createTestAgent(api.db, organizationId);
  const sessionId = await createTestSession(api.db, organizationId, agentId);
  const body = '{"parts":[{"type":"text","text":"x"}]}';
  const socket = connect(api.api.port, "127.0.0.1");
  socket.write(
    `POST /v1/sessions/${sessionId}/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${api.org.apiKey}\r\n` +
      `content-length: ${body.length}\r\n\r\n${body}`,
  );
  const list = await waitUntil(
    async () => {
      const reply = await api.call("GET", `/v1/sessions/${sessionId}/messages`);
      return (reply.json.data as unknown[]).length === 1 && reply;
    },
    { what: "the message to be accepted" },
  );
  socket.destroy();
  await waitUntil(() => api.log.some((line) => line.fields["finished"] === false), { what: "the wait to end" });
  expect(list.json).toMatchObject({ data: [{ status: "queued" }] });
});
