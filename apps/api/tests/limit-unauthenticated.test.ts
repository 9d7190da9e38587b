// Calls without a valid key are limited by address. Calls with a key from that address are not refused for them.

import { createTestAgent, createTestKey, createTestSession } from "@dari/testkit";
import { afterEach, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { signToken } from "./session-token-fixture.ts";

const perMinute = 5;
let api: TestApi;
afterEach(async () => api[Symbol.asyncDispose]());

/** The header that one proxy in front adds. */
const from = (address: string): Record<string, string> => ({ "x-forwarded-for": address });
const wrongKey = `dari_${"x".repeat(43)}`;

async function spend(address: string, key: string | null = wrongKey): Promise<void> {
  for (let i = 0; i < perMinute; i++) {
    expect((await api.call("GET", "/v1/sessions", { key, headers: from(address) })).status).toBe(401);
  }
}

async function start(trustedProxies = 1): Promise<void> {
  api = await startTestApi({ settings: { unauthenticatedPerMinute: perMinute, trustedProxies } });
}

test.each([
  ["a key that nobody has", wrongKey],
  ["what is no key", "x"],
  ["no key", null],
])("%s is refused above the limit with the time to wait", async (_what, key) => {
  await start();
  await spend("192.0.2.1", key);
  const reply = await api.call("GET", "/v1/sessions", { key, headers: from("192.0.2.1") });
  expect([reply.status, reply.json.code]).toEqual([429, "limit_exceeded"]);
  expect(reply.json.detail).toBe(
    "limit reached: 5 requests per minute without a valid API key from one address; " +
      "send a valid key in `Authorization`, or wait",
  );
  const wait = Number(reply.headers.get("retry-after"));
  expect(wait).toBeGreaterThanOrEqual(1);
  expect(wait).toBeLessThanOrEqual(60 / perMinute);
  expect((await api.call("GET", "/v1/sessions", { key, headers: from("192.0.2.2") })).status).toBe(401);
});

test("a valid key, even a new one, is accepted from an address that has used up its calls", async () => {
  await start();
  const headers = from("192.0.2.1");
  await spend("192.0.2.1");
  const { apiKey } = await createTestKey(api.db, api.stranger.organizationId, ["read"]);
  const flood = Array.from({ length: 50 }, (_, i) =>
    api.call("GET", "/v1/sessions", { key: `dari_${String(i).padStart(43, "y")}`, headers }),
  );
  const valid = [api.org.apiKey, apiKey].map((key) => api.call("GET", "/v1/sessions", { key, headers }));
  expect((await Promise.all(valid)).map(({ status }) => status)).toEqual([200, 200]);
  expect(new Set((await Promise.all(flood)).map(({ status }) => status))).toEqual(new Set([429]));
});

test("a key or token that has ended gets a 401 above the limit, so that its holder gets another one", async () => {
  await start();
  const headers = from("192.0.2.1");
  await spend("192.0.2.1");
  const { organizationId } = api.org;
  const [expired, revoked] = await Promise.all([1, 2].map(() => createTestKey(api.db, organizationId, ["read"])));
  const ended = "update dari.api_keys set expires_at = now() - interval '1 s' where id = $1";
  await api.db.pool.query(ended, [expired!.keyId]);
  await api.call("DELETE", `/v1/organizations/current/api-keys/${revoked!.keyId}`, { headers: from("192.0.2.2") });
  const { agentId } = await createTestAgent(api.db, organizationId);
  const sessionId = await createTestSession(api.db, organizationId, agentId);
  const token = signToken(api, sessionId, { expiresAt: 1 });
  for (const key of [expired!.apiKey, revoked!.apiKey, token]) {
    const reply = await api.call("GET", `/v1/sessions/${sessionId}`, { key, headers });
    expect([reply.status, reply.json.code]).toEqual([401, "unauthenticated"]);
  }
  const mcp = await api.call("POST", "/mcp", { key: expired!.apiKey, headers, body: {} });
  expect([mcp.status, mcp.headers.get("www-authenticate")]).toEqual([401, expect.stringContaining("Bearer")]);
  // A call that needs no key is still counted, whatever key it has.
  const open = { key: expired!.apiKey, headers, body: { device_name: "x" } };
  expect((await api.call("POST", "/v1/auth/device", open)).status).toBe(429);
  expect((await api.call("GET", "/v1/sessions", { key: `${token}x`, headers })).status).toBe(429);
});

test("of many concurrent calls, only as many are answered as the limit allows", async () => {
  await start();
  const flood = Array.from({ length: 50 }, (_, i) =>
    api.call("GET", "/v1/sessions", { key: `dari_${String(i).padStart(43, "y")}`, headers: from("192.0.2.1") }),
  );
  const statuses = (await Promise.all(flood)).map(({ status }) => status);
  expect(statuses.filter((status) => status === 401)).toHaveLength(perMinute);
  expect(statuses.filter((status) => status === 429)).toHaveLength(50 - perMinute);
});

test("calls that need no key are answered whatever the address has sent", async () => {
  await start();
  await spend("192.0.2.1");
  const open = ["/v1/auth/config", "/healthz"].map((path) =>
    api.call("GET", path, { key: null, headers: from("192.0.2.1") }),
  );
  for (const { status } of await Promise.all(open)) expect(status).not.toBe(429);
});

test.each([
  ["POST", "/v1/auth/link", { token: "dlnk_nonsense" }],
  ["POST", "/v1/auth/device", { device_name: "x" }],
  ["POST", "/v1/auth/device/token", { device_code: "ddev_nonsense" }],
  ["GET", "/auth/oidc/start", undefined],
  ["GET", "/auth/oidc/callback", undefined],
])("%s %s counts too, and writes nothing once it is refused", async (method, path, body) => {
  const oidc = {
    issuer: "http://127.0.0.1:9",
    clientId: "c",
    clientSecret: undefined,
    name: "P",
    email: "verified" as const,
  };
  api = await startTestApi({ settings: { unauthenticatedPerMinute: perMinute, trustedProxies: 1 }, oidc });
  const send = (): Promise<TestReply> => api.call(method, path, { key: null, body, headers: from("192.0.2.1") });
  for (let i = 0; i < perMinute; i++) expect((await send()).status).not.toBe(429);
  await api.db.pool.query("delete from sign_in_tries");
  await api.db.pool.query("delete from device_requests");
  const refused = await send();
  expect([refused.status, refused.json.code]).toEqual([429, "limit_exceeded"]);
  const { rows } = await api.db.pool.query("select 1 from sign_in_tries union all select 1 from device_requests");
  expect(rows).toEqual([]);
});

test("the sign-in with a key counts too", async () => {
  await start();
  const signIn = (): Promise<TestReply> =>
    api.call("POST", "/v1/me/sign-in", { key: wrongKey, headers: { origin: api.url, ...from("192.0.2.1") } });
  for (let i = 0; i < perMinute; i++) expect((await signIn()).status).toBe(401);
  expect((await signIn()).status).toBe(429);
});

test("a header that no proxy is there to write is not believed", async () => {
  await start(0);
  for (let i = 0; i < perMinute; i++)
    await api.call("GET", "/v1/sessions", { key: wrongKey, headers: from(`192.0.2.${i}`) });
  const reply = await api.call("GET", "/v1/sessions", { key: wrongKey, headers: from("192.0.2.99") });
  expect(reply.status).toBe(429);
});

test("of what a client says of itself, only what the proxy in front has heard is believed", async () => {
  await start();
  await spend("192.0.2.1");
  const headers = from("203.0.113.7, 192.0.2.1");
  expect((await api.call("GET", "/v1/sessions", { key: wrongKey, headers })).status).toBe(429);
});

test("without a limit nothing is counted", async () => {
  api = await startTestApi({ settings: { unauthenticatedPerMinute: 0 } });
  const replies = Array.from({ length: 50 }, () => api.call("GET", "/v1/sessions", { key: wrongKey }));
  expect(new Set((await Promise.all(replies)).map(({ status }) => status))).toEqual(new Set([401]));
});
