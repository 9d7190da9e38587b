// Rate limits of an organization and its keys: exact, shown in headers, and independent of others.

import { createRateLimiter } from "@dari/control/tenants";
import { createTestAgent, createTestFile, createTestKey, createTestSession } from "@dari/testkit";
import { expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";

const hello = { parts: [{ type: "text", text: "hello" }] };

function statuses(replies: readonly TestReply[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of replies) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

async function setLimits(api: TestApi, body: object): Promise<void> {
  const path = `/v1/organizations/${api.org.organizationId}`;
  expect((await api.call("PATCH", path, { key: api.operator.apiKey, body })).status).toBe(200);
}

/** Moves the start of every window into the past. */
async function age(api: TestApi, seconds: number): Promise<void> {
  await api.db.pool.query("update rate_windows set started_at = started_at - $1 * interval '1 second'", [seconds]);
}

test("exactly as many concurrent requests pass as the limit allows; then 429 with the time to wait", async () => {
  await using api = await startTestApi({ rates: { requests: 40 } });
  const list = () => api.call("GET", "/v1/sessions");
  const replies = await Promise.all(Array.from({ length: 64 }, list));
  expect(statuses(replies)).toEqual({ 200: 40, 429: 24 });
  for (const reply of replies) {
    expect(reply.headers.get("ratelimit-policy")).toBe('"requests";q=40;w=60');
    expect(reply.headers.get("ratelimit")).toMatch(/^"requests";r=\d+;t=[1-6]?\d$/);
  }
  const refused = replies.find((reply) => reply.status === 429)!;
  expect(refused.headers.get("ratelimit")).toMatch(/^"requests";r=0;/);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(55);
  expect(refused.json).toMatchObject({ code: "limit_exceeded" });
  expect(refused.json.detail).toMatch(
    /^rate limit of the organization reached: 40 requests per minute; retry in \d+ s$/,
  );

  // Others have their own window. Calls without a key have none.
  expect((await api.call("GET", "/v1/sessions", { key: api.stranger.apiKey })).status).toBe(200);
  for (const path of ["/v1/auth/config", "/healthz", "/openapi.json", "/docs"]) {
    const reply = await api.call("GET", path);
    expect([path, reply.status, reply.headers.get("ratelimit")]).toEqual([path, 200, null]);
  }
});

test("a window begins with the first request after the one before has passed", async () => {
  await using api = await startTestApi({ rates: { requests: 2 } });
  // Each limiter is like another process without cached counts.
  const limiter = () => createRateLimiter(api.db, { requests: 2, messages: 1, upload_bytes: 1 });
  const actor = { organizationId: api.org.organizationId, keyId: api.org.keyId, scopes: [] };
  const granted = async (): Promise<boolean> => (await limiter().take(actor, "requests", 1)).granted;
  expect([await granted(), await granted(), await granted()]).toEqual([true, true, false]);
  await age(api, 59);
  expect(await granted()).toBe(false);
  await age(api, 1);
  expect([await granted(), await granted(), await granted()]).toEqual([true, true, false]);
});

test("operators set an organization's own limit, which applies immediately", async () => {
  await using api = await startTestApi({ rates: { requests: 1_000 } });
  await setLimits(api, { max_requests_per_minute: 3 });
  const list = () => api.call("GET", "/v1/sessions");
  const replies = await Promise.all(Array.from({ length: 9 }, list));
  expect(statuses(replies)).toEqual({ 200: 3, 429: 6 });
  const other = await api.call("GET", "/v1/sessions", { key: api.stranger.apiKey });
  expect(other.headers.get("ratelimit-policy")).toBe('"requests";q=1000;w=60');
});

test("a key with its own limit leaves the rest to the others", async () => {
  await using api = await startTestApi({ rates: { requests: 30 } });
  const created = await api.call("POST", "/v1/organizations/current/api-keys", {
    body: { label: "ci", scopes: ["read"], max_requests_per_minute: 5 },
  });
  expect([created.status, created.json["max_requests_per_minute"]]).toEqual([201, 5]);
  const key = String(created.json["api_key"]);
  const byKey = await Promise.all(Array.from({ length: 20 }, () => api.call("GET", "/v1/sessions", { key })));
  expect(statuses(byKey)).toEqual({ 200: 5, 429: 15 });
  const refused = byKey.find((reply) => reply.status === 429)!;
  expect(refused.json.detail).toMatch(/^rate limit of the API key reached: 5 requests per minute/);
  expect(refused.headers.get("ratelimit-policy")).toBe('"requests";q=30;w=60, "key-requests";q=5;w=60');
  // The key's creation was one request.
  const rest = await Promise.all(Array.from({ length: 40 }, () => api.call("GET", "/v1/sessions")));
  expect(statuses(rest)).toEqual({ 200: 24, 429: 16 });
});

test("messages are counted separately from requests", async () => {
  await using api = await startTestApi({ rates: { messages: 2 } });
  const { agentId } = await createTestAgent(api.db, api.org.organizationId);
  const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
  const send = () => api.call("POST", `/v1/sessions/${sessionId}/messages/async`, { body: hello });
  const replies = [await send(), await send(), await send()];
  expect(replies.map((reply) => reply.status)).toEqual([202, 202, 429]);
  expect(replies[0]!.headers.get("ratelimit")).toMatch(/^"messages";r=1;t=/);
  expect((await api.call("GET", `/v1/sessions/${sessionId}`)).status).toBe(200);
  const { rows } = await api.db.pool.query("select count(*)::int as n from messages");
  expect(rows).toEqual([{ n: 2 }]);
});

test("uploads are counted in bytes, before they are read", async () => {
  await using api = await startTestApi({ rates: { upload_bytes: 3_000 } });
  const upload = (bytes: number) => {
    const body = new FormData();
    body.set("file", new Blob([new Uint8Array(bytes)]), "a.bin");
    return api.call("POST", "/v1/files", { body });
  };
  const first = await upload(2_000);
  expect([first.status, first.headers.get("ratelimit-policy")]).toEqual([
    201,
    '"upload-bytes";q=3000;qu="content-bytes";w=3600',
  ]);
  const second = await upload(2_000);
  expect([second.status, second.json.code]).toEqual([429, "limit_exceeded"]);
  // A refused call takes nothing.
  expect((await upload(100)).status).toBe(201);
  const reserve = (size_bytes: number) =>
    api.call("POST", "/v1/source-snapshots", { body: { format: "tar.gz", sha256: "0".repeat(64), size_bytes } });
  expect([(await reserve(100)).status, (await reserve(2_000)).status]).toEqual([201, 429]);
  const never = await reserve(3_001);
  expect(never.json.detail).toBe("this request has 3001 upload bytes; the limit of the organization is 3000 per hour");
});

test("an upload without a length gets back the part that was not used", async () => {
  await using api = await startTestApi({ rates: { upload_bytes: 10_000_000 }, settings: { fileBytes: 5_000_000 } });
  const { agentId } = await createTestAgent(api.db, api.org.organizationId);
  const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
  const put = async (body: Blob | ReadableStream, path: string): Promise<[number, string]> => {
    const response = await fetch(`${api.url}/v1/sessions/${sessionId}/files/content?path=${path}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${api.org.apiKey}`, connection: "close" },
      body,
      duplex: "half",
    } as RequestInit);
    return [response.status, await response.text()];
  };
  const small = new Blob([new Uint8Array(1_000)]);
  for (let round = 0; round < 5; round++) {
    expect([round, (await put(small.stream(), `/a${round}`))[0]]).toEqual([round, 201]);
  }
  // Without a length it counts as the largest possible, which does not fit. With its length it fits.
  await setLimits(api, { max_upload_bytes_per_hour: 5_100_000 });
  const [status, text] = await put(small.stream(), "/b");
  const advice = /an upload without Content-Length counts as \d+ bytes until it ends: send its length"/;
  expect([status, text]).toEqual([429, expect.stringMatching(advice)]);
  expect((await put(small, "/b"))[0]).toBe(201);
});

test("a key without a quota costs its organization one row per kind", async () => {
  await using api = await startTestApi({ rates: { requests: 100 } });
  const { apiKey } = await createTestKey(api.db, api.org.organizationId, ["read"]);
  await createTestFile(api.db, api.org.organizationId);
  for (const key of [apiKey, api.org.apiKey, apiKey]) await api.call("GET", "/v1/files", { key });
  const { rows } = await api.db.pool.query("select key_id, kind, used from rate_windows");
  expect(rows).toEqual([{ key_id: "", kind: "requests", used: 3 }]);
});
