// Calls of pages of other origins: only with a session token, and only from origins that its organization allows.

import { routePaths, routes, tokenScopeOf, type Route, type RouteName } from "@dari/contract";
import { createTestAgent, createTestMember, createTestSession, signInTestMember } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { pathOf, unknown } from "./foreign-ids.ts";
import { allowOrigins, signToken, tokenOf } from "./session-token-fixture.ts";

const listed = "https://app.example.com";
const local = "http://localhost:5173";

let api: TestApi;
let sessionId: string;
let path: string;
beforeAll(async () => {
  api = await startTestApi();
  const { agentId } = await createTestAgent(api.db, api.org.organizationId);
  sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
  path = `/v1/sessions/${sessionId}`;
  await allowOrigins(api, [listed, local]);
  await allowOrigins(api, ["https://stranger.example"], api.stranger.apiKey);
});
afterAll(async () => api[Symbol.asyncDispose]());

/** The headers that let a page do something. */
function corsOf({ headers }: TestReply): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => name.startsWith("access-control-")));
}

const preflight = (at: string, method: string, origin = "https://anywhere.example") =>
  api.call("OPTIONS", at, { key: null, headers: { origin, "access-control-request-method": method } });

test("a preflight is answered for routes of tokens, alike for every origin, and without credentials", async () => {
  for (const name of Object.keys(routes) as RouteName[]) {
    const route: Route = routes[name];
    for (const one of routePaths(route)) {
      const at = pathOf(route, one, { ...unknown, organization_id: "current" });
      const reply = await preflight(at, route.method);
      const methods = reply.headers.get("access-control-allow-methods")?.split(", ") ?? [];
      expect([name, methods.includes(route.method)]).toEqual([name, tokenScopeOf(name) !== undefined]);
      expect(reply.headers.has("access-control-allow-credentials")).toBe(false);
      const stranger = await preflight(at, route.method, listed);
      expect([name, reply.status, corsOf(reply)]).toEqual([name, stranger.status, corsOf(stranger)]);
    }
  }
  expect(corsOf(await preflight(path, "GET"))).toMatchObject({
    "access-control-allow-origin": "*",
    "access-control-allow-headers": expect.stringContaining("authorization"),
  });
  for (const at of [
    "/metrics",
    "/ops/queues",
    "/console",
    "/docs",
    "/openapi.json",
    "/v1/me",
    "/openai/v1/responses",
  ]) {
    expect([at, corsOf(await preflight(at, "POST"))]).toEqual([at, {}]);
  }
  expect((await api.call("OPTIONS", path, { key: null })).status).toBe(405);
});

test("a page of an allowed origin can read replies and errors", async () => {
  const key = await tokenOf(api, sessionId);
  for (const origin of [listed, local]) {
    const reply = await api.call("GET", path, { key, headers: { origin } });
    expect([reply.status, reply.headers.get("vary")]).toEqual([200, "Origin"]);
    expect(corsOf(reply)).toEqual({
      "access-control-allow-origin": origin,
      "access-control-expose-headers": expect.stringContaining("retry-after"),
    });
  }
  const headers = { origin: listed };
  const refusals = [
    await api.call("GET", "/v1/me", { key, headers }),
    await api.call("GET", `/v1/messages/${unknown["message_id"]}`, { key, headers }),
    await api.call("POST", `${path}/messages/async`, { key, headers, body: {} }),
    await api.call("GET", path, { key: signToken(api, sessionId, { expiresAt: 1 }), headers }),
    await api.call("GET", path, { key: signToken(api, sessionId, { generation: 9 }), headers }),
  ];
  expect(refusals.map(({ status }) => status)).toEqual([403, 404, 422, 401, 401]);
  for (const reply of refusals) expect(corsOf(reply)["access-control-allow-origin"]).toBe(listed);
});

test("a page of another origin is refused before anything happens", async () => {
  const key = await tokenOf(api, sessionId);
  const origins = [
    "https://evil.example",
    "https://stranger.example",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://app.example.com.evil.example",
    "https://xapp.example.com",
    "http://localhost:5174",
    "null",
    "",
    "*",
  ];
  const body = { parts: [{ type: "text", text: "hi" }] };
  for (const origin of origins) {
    const reply = await api.call("POST", `${path}/messages/async`, { key, headers: { origin }, body });
    expect([origin, reply.status, reply.json.code, corsOf(reply)]).toEqual([origin, 403, "forbidden", {}]);
    expect(reply.headers.get("vary")).toBe("Origin");
  }
  const { json } = await api.call("GET", `${path}/messages`);
  expect(json.data).toEqual([]);
});

test("programs and the platform's own pages need no allowed origin, a page that chooses `Host` does", async () => {
  const key = await tokenOf(api, sessionId);
  expect((await api.call("GET", path, { key })).status).toBe(200);
  expect((await api.call("GET", path, { key, headers: { origin: api.url } })).status).toBe(200);
  const rebound = new URL(api.url);
  rebound.hostname = "localhost";
  expect((await api.call("GET", `${rebound.origin}${path}`, { key, headers: { origin: rebound.origin } })).status).toBe(
    403,
  );
});

test("keys and cookies are not readable across origins", async () => {
  const withKey = await api.call("GET", path, { headers: { origin: listed } });
  expect([withKey.status, corsOf(withKey)]).toEqual([200, {}]);
  const { organizationId } = api.org;
  const { memberId } = await createTestMember(api.db, organizationId);
  const { cookie } = await signInTestMember(api.db, organizationId, memberId);
  const withCookie = await api.call("GET", path, { key: null, headers: { cookie, origin: listed } });
  expect(corsOf(withCookie)).toEqual({});
  const changing = await api.call("DELETE", `${path}/tokens`, { key: null, headers: { cookie, origin: listed } });
  expect([changing.status, corsOf(changing)]).toEqual([403, {}]);
  // A token in the header counts, also beside a cookie.
  const both = await api.call("GET", "/v1/me", {
    key: await tokenOf(api, sessionId),
    headers: { cookie, origin: listed },
  });
  expect([both.status, both.json.detail]).toEqual([403, expect.stringContaining("a session token cannot")]);
});

test("every page can read that a token is not valid, which says nothing about origins", async () => {
  const key = `${(await tokenOf(api, sessionId)).slice(0, -2)}xx`;
  const replies = [];
  for (const origin of [listed, "https://evil.example"]) {
    const reply = await api.call("GET", path, { key, headers: { origin } });
    expect([reply.status, corsOf(reply)]).toEqual([401, { "access-control-allow-origin": "*" }]);
    replies.push(reply.json.detail);
  }
  expect(replies[0]).toBe(replies[1]);
});

test("the list counts from the next call on, and each change is in the audit log", async () => {
  const key = await tokenOf(api, sessionId);
  const from = () => api.call("GET", path, { key, headers: { origin: "https://new.example" } });
  expect((await from()).status).toBe(403);
  await allowOrigins(api, ["https://new.example"]);
  expect((await from()).status).toBe(200);
  await allowOrigins(api, []);
  expect((await from()).status).toBe(403);
  const { json } = await api.call("GET", "/v1/organizations/current/audit-log?limit=2");
  expect(json.data).toMatchObject([
    { action: "allowed_origins.put", target: api.org.organizationId, details: { origins: [] } },
    { action: "allowed_origins.put", details: { origins: ["https://new.example"] } },
  ]);
  const read = await api.call("GET", "/v1/organizations/current/allowed-origins");
  expect([read.status, read.json]).toEqual([200, { origins: [] }]);
});
