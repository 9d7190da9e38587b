// MCP clients connect by OAuth: metadata, registration, a person's approval, tokens, and what the person sees and ends.

import { routes, validate, type RouteName, type Route, routePaths } from "@dari/contract";
import { authenticateKey } from "@dari/control/tenants";
import { createTestKey, createTestOrganization } from "@dari/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { challengeHeader } from "../src/oauth/challenge.ts";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import { bodyOf, pathOf, unknown } from "./foreign-ids.ts";
import {
  answerOf,
  approve,
  ask,
  browse,
  connect,
  createAttempt,
  createPerson,
  decide,
  exchange,
  isAccepted,
  postForm,
  redirectUri,
  refresh,
  registerClient,
  tokensOf,
  type Person,
} from "./oauth-fixture.ts";

let api: TestApi;
let person: Person;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => api[Symbol.asyncDispose]());
beforeEach(async () => {
  person = await createPerson(api);
});

describe("metadata", () => {
  const paths = [
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/oauth-authorization-server",
  ];

  test("says which server issues tokens for /mcp, and what it can do", async () => {
    for (const path of paths.slice(0, 2)) {
      expect((await api.call("GET", path, { key: null })).json).toMatchObject({
        resource: `${api.url}/mcp`,
        authorization_servers: [api.url],
        scopes_supported: ["run", "read"],
      });
    }
    expect((await api.call("GET", paths[2]!, { key: null })).json).toMatchObject({
      issuer: api.url,
      authorization_endpoint: `${api.url}/oauth/authorize`,
      token_endpoint: `${api.url}/oauth/token`,
      registration_endpoint: `${api.url}/oauth/register`,
      response_types_supported: ["code"],
      code_challenge_methods_supported: ["S256"],
      token_endpoint_auth_methods_supported: ["none"],
      authorization_response_iss_parameter_supported: true,
    });
    expect(challengeHeader({ publicUrl: api.url }, "invalid_token")).toBe(
      `Bearer error="invalid_token", resource_metadata="${api.url}${paths[1]}", scope="run read"`,
    );
  });

  test("can be read by pages of every origin, without cookies", async () => {
    const headers = { origin: "https://inspector.example", "access-control-request-method": "POST" };
    for (const path of [...paths, "/oauth/register", "/oauth/token", "/oauth/revoke"]) {
      const preflight = await api.call("OPTIONS", path, { key: null, headers });
      expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([204, "*"]);
      expect(preflight.headers.get("access-control-allow-headers")).toContain("mcp-protocol-version");
      expect(preflight.headers.get("access-control-allow-credentials")).toBeNull();
      const method = paths.includes(path) ? "GET" : "POST";
      const reply = await api.call(method, path, { key: null, headers });
      expect(reply.headers.get("access-control-allow-origin")).toBe("*");
    }
  });

  test.each([
    ["http://dari.example.com", "is not encrypted"],
    ["https://example.com/dari", "has a path"],
    ["http://:::4870", "is not a URL"],
  ])("at %s says why only API keys work", async (publicUrl, reason) => {
    const { request } = await createAttempt(api);
    Object.assign(api.control, { publicUrl });
    try {
      for (const path of [...paths, "/oauth/authorize"]) {
        const reply = await api.call("GET", path, { key: null });
        expect([reply.status, reply.json.detail]).toEqual([404, expect.stringContaining(reason)]);
      }
      expect((await postForm(api, "/oauth/token", { grant_type: "refresh_token" })).status).toBe(404);
      // With https, cookies have another name.
      const isSecure = publicUrl.startsWith("https:");
      expect((await ask(api, person.cookie, request)).status).toBe(isSecure ? 401 : 404);
      expect(challengeHeader({ publicUrl })).toBe("Bearer");
    } finally {
      Object.assign(api.control, { publicUrl: api.url });
    }
    expect(challengeHeader({ publicUrl: "https://dari.example.com" })).toContain("resource_metadata=");
  });
});

test("a client registers, a person approves, and the client gets tokens for /mcp only", async () => {
  const attempt = await createAttempt(api);
  const query = new URLSearchParams({ ...attempt.request, prompt: "consent" }).toString();
  const page = await api.call("GET", `/oauth/authorize?${query}`, { key: null });
  expect(page.status).toBe(303);
  const { pathname, searchParams } = new URL(String(page.headers.get("location")), api.url);
  expect([pathname, Object.fromEntries(searchParams)]).toEqual(["/console/authorize", attempt.request]);
  const asked = await ask(api, person.cookie, attempt.request);
  expect([asked.status, validate(routes.getAppAuthorization.reply, asked.json)]).toEqual([200, []]);
  expect(asked.json).toEqual({
    client_name: "Test client",
    redirect_host: "127.0.0.1:33418",
    redirect_kind: "this_computer",
    scopes: ["run", "read"],
    organization_id: person.organizationId,
    member_id: person.memberId,
    problem: null,
  });
  const decided = await decide(api, person.cookie, attempt.request);
  expect(String(decided.json["redirect_to"])).toMatch(`${redirectUri}?code=`);
  const answer = answerOf(decided);
  expect([answer.get("state"), answer.get("iss"), answer.get("error")]).toEqual(["a state", api.url, null]);
  const reply = await exchange(api, attempt, String(answer.get("code")));
  expect(reply.json).toMatchObject({ token_type: "Bearer", scope: "run read" });
  expect(Number(reply.json["expires_in"])).toBeGreaterThan(3_590);
  expect(Number(reply.json["expires_in"])).toBeLessThanOrEqual(3_600);
  expect(reply.headers.get("cache-control")).toBe("no-store");
  const { access } = tokensOf(reply);
  const { organizationId, memberId } = person;
  const actor = await authenticateKey(api.control, access);
  expect(actor).toMatchObject({ organizationId, isApp: true, managesOwners: false, person: { memberId } });
  expect([...actor.scopes].sort()).toEqual(["read", "run"]);
  const log = await api.db.pool.query("select action from audit_entries where organization_id = $1", [organizationId]);
  expect(log.rows).toContainEqual({ action: "app.approve" });
});

test("the token of an app is refused by every route of the contract", async () => {
  const { access } = await connect(api, person.cookie);
  for (const name of Object.keys(routes) as RouteName[]) {
    const route: Route = routes[name];
    if (route.scope === null || route.path.startsWith("/mcp")) continue;
    for (const path of routePaths(route)) {
      const named = pathOf(route, path, { ...unknown, organization_id: person.organizationId });
      const { status, json } = await api.call(route.method, named, { key: access, body: bodyOf(route) });
      expect([name, status, json.detail]).toEqual([name, 403, expect.stringContaining("only for /mcp")]);
    }
  }
  expect((await api.call("GET", "/mcp-other", { key: access })).status).toBe(404);
});

test("a refresh token works once; the same request within seconds gets the same reply", async () => {
  const { clientId, ...first } = await connect(api, person.cookie);
  const replies = await Promise.all(Array.from({ length: 10 }, () => refresh(api, clientId, first.refresh)));
  const tokens = replies.map(tokensOf);
  for (const one of tokens) expect(one).toEqual(tokens[0]);
  expect(tokens[0]).not.toEqual({ access: first.access, refresh: first.refresh });
  expect([await isAccepted(api, first.access), await isAccepted(api, tokens[0]!.access)]).toEqual([false, true]);
  const { rows } = await api.db.pool.query(
    `select generation, ends_at > clock_timestamp() + interval '29 days' as long from connected_apps
     where organization_id = $1`,
    [person.organizationId],
  );
  expect(rows).toEqual([{ generation: 2, long: true }]);
});

test("an app ends 90 days after its approval, however often it refreshes", async () => {
  const { clientId, refresh: token } = await connect(api, person.cookie);
  await api.db.pool.query(
    "update connected_apps set created_at = clock_timestamp() - interval '90 days' + interval '10 minutes'",
  );
  const reply = await refresh(api, clientId, token);
  expect(Number(reply.json["expires_in"])).toBeLessThanOrEqual(600);
  await api.db.pool.query("update connected_apps set ends_at = clock_timestamp()");
  expect((await refresh(api, clientId, tokensOf(reply).refresh)).json["error"]).toBe("invalid_grant");
});

test("a person can let a client only read, and unknown scopes are left out", async () => {
  const attempt = await createAttempt(api, { scope: "read openid offline_access" });
  expect((await ask(api, person.cookie, attempt.request)).json["scopes"]).toEqual(["read"]);
  const reply = await exchange(api, attempt, await approve(api, person.cookie, attempt));
  expect(reply.json["scope"]).toBe("read");
  expect((await authenticateKey(api.control, tokensOf(reply).access)).scopes).toEqual(["read"]);
});

test.each(["/mcp", "/mcp/", "/mcp?agents=support", "", undefined])("tokens are for the resource %s", async (end) => {
  const { resource: _, ...rest } = (await createAttempt(api)).request;
  const request = end === undefined ? rest : { ...rest, resource: `${api.url}${end}` };
  expect((await ask(api, person.cookie, request)).json["problem"]).toBeNull();
});

test("a denial goes back to the client, and leaves nothing", async () => {
  const { request } = await createAttempt(api);
  const answer = answerOf(await decide(api, person.cookie, request, "deny"));
  expect(Object.fromEntries(answer)).toMatchObject({ error: "access_denied", state: "a state", iss: api.url });
  const { rows } = await api.db.pool.query("select 1 from connected_apps where organization_id = $1", [
    person.organizationId,
  ]);
  expect(rows).toEqual([]);
});

test("a person sees and disconnects the own apps, not those of others", async () => {
  const { access } = await connect(api, person.cookie);
  const other = await createPerson(api, "owner", person.organizationId);
  const stranger = await createPerson(api, "owner");
  const list = await browse(api, person.cookie, "GET", "/v1/me/apps");
  expect([list.status, validate(routes.listConnectedApps.reply, list.json)]).toEqual([200, []]);
  const [app] = list.json.data as { id: string }[];
  expect(app).toMatchObject({ client_name: "Test client", redirect_host: "127.0.0.1:33418", scopes: ["run", "read"] });
  for (const { cookie } of [other, stranger]) {
    expect((await browse(api, cookie, "GET", "/v1/me/apps")).json.data).toEqual([]);
    expect((await browse(api, cookie, "DELETE", `/v1/me/apps/${app!.id}`)).status).toBe(404);
  }
  // An admin sees it among the keys, with its end instead of that of its present token.
  const keys = await browse(api, other.cookie, "GET", `/v1/organizations/${person.organizationId}/api-keys`);
  const key = (keys.json.data as { id: string; label: string; expires_at: string }[]).find(({ id }) => id === app!.id);
  expect(key?.label).toBe("app: Test client");
  expect(Date.parse(key!.expires_at)).toBeGreaterThan(Date.now() + 29 * 24 * 3_600_000);
  expect(await isAccepted(api, access)).toBe(true);
  expect((await browse(api, person.cookie, "DELETE", `/v1/me/apps/${app!.id}`)).status).toBe(200);
  expect(await isAccepted(api, access)).toBe(false);
  expect((await browse(api, person.cookie, "GET", "/v1/me/apps")).json.data).toEqual([]);
  expect((await browse(api, person.cookie, "DELETE", `/v1/me/apps/${app!.id}`)).status).toBe(404);
});

test("a client ends its own app, by either token, and unknown tokens are answered alike", async () => {
  const [one, two, three] = [1, 2, 3].map(() => connect(api, person.cookie));
  const revoke = (token: string, more = {}) => postForm(api, "/oauth/revoke", { token, ...more });
  const [byRefresh, byAccess, kept] = [await one!, await two!, await three!];
  expect((await revoke(byRefresh.refresh, { client_id: byRefresh.clientId })).status).toBe(200);
  expect((await revoke(byAccess.access)).status).toBe(200);
  const other = await registerClient(api, { client_name: "Other" });
  const { apiKey } = await createTestKey(api.db, person.organizationId, ["run"]);
  const wrong = [[kept.access, { client_id: other }], [apiKey], ["x"], [`dref_${"x".repeat(26)}.1.${"y".repeat(43)}`]];
  for (const [token, more] of wrong) {
    expect([(await revoke(String(token), more as object)).status, token]).toEqual([200, token]);
  }
  expect((await api.call("GET", "/v1/me", { key: apiKey })).status).toBe(200);
  const left = [byRefresh, byAccess, kept].map(({ access }) => isAccepted(api, access));
  expect(await Promise.all(left)).toEqual([false, false, true]);
  expect((await refresh(api, byAccess.clientId, byAccess.refresh)).json["error"]).toBe("invalid_grant");
  expect((await postForm(api, "/oauth/revoke", { client_id: "x" })).json["error"]).toBe("invalid_request");
});

test("a browser that is signed in with an admin's key connects an app of the organization", async () => {
  const { organizationId, apiKey } = await createTestOrganization(api.db);
  const cookieFor = async (key: string): Promise<string> => {
    const reply = await api.call("POST", "/v1/me/sign-in", { key, headers: { origin: api.url } });
    return String(reply.headers.get("set-cookie")?.split(";")[0]);
  };
  const cookie = await cookieFor(apiKey);
  const { access } = await connect(api, cookie);
  expect(await authenticateKey(api.control, access)).toMatchObject({ organizationId, isApp: true });
  expect((await browse(api, cookie, "GET", "/v1/me/apps")).json.data).toHaveLength(1);
  const runner = await createTestKey(api.db, organizationId, ["run"]);
  const weak = await cookieFor(runner.apiKey);
  const { request } = await createAttempt(api);
  expect((await ask(api, weak, request)).status).toBe(403);
  expect((await decide(api, weak, request)).status).toBe(403);
  expect((await browse(api, weak, "GET", "/v1/me/apps")).json.data).toEqual([]);
});
