// A browser that is signed in with an API key: by the key itself, or by a link that works once.

import { createTestKey, createTestMember, signInTestMember } from "@dari/testkit";
import { limits } from "@dari/domain";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { cookieOf, tokenOf } from "./people.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => api[Symbol.asyncDispose]());
beforeEach(async () => void (await api.db.pool.query("delete from sign_in_tries")));

const signIn = (key: string | null, headers: Record<string, string> = {}): Promise<TestReply> =>
  api.call("POST", "/v1/me/sign-in", { key, headers });
const open = (token: string): Promise<TestReply> => api.call("POST", "/v1/auth/link", { key: null, body: { token } });
const as = (
  cookie: string,
  method = "GET",
  path = "/v1/me",
  headers: Record<string, string> = {},
): Promise<TestReply> => api.call(method, path, { key: null, headers: { cookie, ...headers } });
const fromOwnPage = (): Record<string, string> => ({ origin: api.url, "sec-fetch-site": "same-origin" });

test("a key becomes a cookie that scripts cannot read, which can do what the key can", async () => {
  const { apiKey } = await createTestKey(api.db, api.org.organizationId, ["read"]);
  const reply = await signIn(apiKey);
  expect([reply.status, reply.json["member_id"]]).toEqual([200, null]);
  expect(reply.headers.get("set-cookie")).toMatch(
    /^dari_sign_in=dses_[\w-]+; Path=\/; HttpOnly; SameSite=Strict; Max-Age=2592000$/,
  );
  expect(reply.text + reply.headers.get("set-cookie")).not.toContain(apiKey);
  const cookie = cookieOf(reply);
  expect((await as(cookie)).json).toMatchObject({ method: "key", scopes: ["read"], member: null });
  const refused = await as(cookie, "POST", "/v1/agents/agt_x/sessions", fromOwnPage());
  expect([refused.status, refused.json.detail]).toEqual([403, expect.stringContaining("scope 'run'")]);
});

test("another site cannot sign a browser in, nor use its cookie", async () => {
  const { apiKey } = await createTestKey(api.db, api.org.organizationId, ["admin"]);
  for (const headers of [{ origin: "https://evil.example" }, { "sec-fetch-site": "cross-site" }]) {
    const reply = await signIn(apiKey, headers as Record<string, string>);
    expect([reply.status, reply.headers.get("set-cookie")]).toEqual([403, null]);
  }
  const cookie = cookieOf(await signIn(apiKey));
  const change = (headers: Record<string, string>) => as(cookie, "DELETE", "/v1/me/sign-in", headers);
  expect((await change({})).status).toBe(403);
  expect((await change({ origin: "https://evil.example" })).status).toBe(403);
  expect((await as(cookie)).status).toBe(200);
});

test("the sign-in ends with the key, at sign-out, and when its time is over", async () => {
  const { apiKey, keyId } = await createTestKey(api.db, api.org.organizationId, ["admin"]);
  const [first, second, third] = [await signIn(apiKey), await signIn(apiKey), await signIn(apiKey)].map(cookieOf);
  const out = await as(first ?? "", "DELETE", "/v1/me/sign-in", fromOwnPage());
  expect([out.status, out.headers.get("set-cookie")]).toEqual([200, expect.stringContaining("Max-Age=0")]);
  const statuses = () => Promise.all([first, second, third].map(async (cookie) => (await as(cookie ?? "")).status));
  expect(await statuses()).toEqual([401, 200, 200]);
  await api.db.pool.query(
    "update sign_ins set expires_at = now() where id = (select id from sign_ins where api_key_id = $1 limit 1)",
    [keyId],
  );
  expect((await statuses()).sort()).toEqual([200, 401, 401]);
  await api.db.pool.query("update api_keys set revoked_at = now() where id = $1", [keyId]);
  expect(await statuses()).toEqual([401, 401, 401]);
  expect((await signIn(apiKey)).status).toBe(401);
});

test("a key signs a bounded number of browsers in: the oldest one is signed out", async () => {
  const { apiKey, keyId } = await createTestKey(api.db, api.org.organizationId, ["read"]);
  const first = cookieOf(await signIn(apiKey));
  for (let i = 1; i < limits.signInsPerKey; i++) await signIn(apiKey);
  expect((await as(first)).status).toBe(200);
  await signIn(apiKey);
  expect((await as(first)).status).toBe(401);
  const { rows } = await api.db.pool.query("select 1 from sign_ins where api_key_id = $1", [keyId]);
  expect(rows).toHaveLength(limits.signInsPerKey);
});

test("a link signs in once, also when it is opened twice at the same time", async () => {
  const { apiKey, keyId } = await createTestKey(api.db, api.org.organizationId, ["admin"]);
  const make = async (): Promise<string> => {
    const reply = await api.call("POST", "/v1/me/sign-in-link", { key: apiKey });
    expect([reply.status, reply.json["url"]]).toEqual([201, expect.stringContaining("/console/join#dkln_")]);
    return tokenOf(reply.json);
  };
  const replaced = await make();
  const token = await make();
  expect((await open(replaced)).status).toBe(404);
  const replies = await Promise.all([open(token), open(token), open(token)]);
  expect(replies.map(({ status }) => status).sort()).toEqual([200, 404, 404]);
  const opened = replies.find(({ status }) => status === 200);
  expect((await as(cookieOf(opened!))).status).toBe(200);
  const late = await make();
  await api.db.pool.query("update key_sign_in_links set expires_at = now() where api_key_id = $1", [keyId]);
  expect((await open(late)).status).toBe(404);
  const ended = await make();
  await api.db.pool.query("update api_keys set revoked_at = now() where id = $1", [keyId]);
  expect((await open(ended)).status).toBe(404);
  expect((await api.call("POST", "/v1/me/sign-in-link", { key: apiKey })).status).toBe(401);
});

test("a signed-in browser cannot create links or further sign-ins", async () => {
  const { apiKey } = await createTestKey(api.db, api.org.organizationId, ["admin"]);
  const { organizationId } = api.org;
  const { memberId } = await createTestMember(api.db, organizationId, "admin");
  const { cookie: person } = await signInTestMember(api.db, organizationId, memberId);
  for (const cookie of [cookieOf(await signIn(apiKey)), person]) {
    for (const path of ["/v1/me/sign-in", "/v1/me/sign-in-link"]) {
      expect([path, (await as(cookie, "POST", path, fromOwnPage())).status]).toEqual([path, 409]);
    }
  }
});

test("signing in and out is in the audit log", async () => {
  const { apiKey, keyId } = await createTestKey(api.db, api.org.organizationId, ["admin"]);
  const cookie = cookieOf(await signIn(apiKey));
  await as(cookie, "DELETE", "/v1/me/sign-in", fromOwnPage());
  const { rows } = await api.db.pool.query(
    "select action, target from audit_entries where actor_key_id = $1 order by id",
    [keyId],
  );
  expect(rows).toEqual([
    { action: "api_key.sign_in", target: keyId },
    { action: "api_key.sign_out", target: keyId },
  ]);
});

test("the root path leads browsers to the console, and lists the routes for programs", async () => {
  const visit = await api.call("GET", "/", { key: null, headers: { accept: "text/html,*/*;q=0.8" } });
  expect([visit.status, visit.headers.get("location")]).toEqual([303, "/console"]);
  const program = await api.call("GET", "/", { key: null, headers: { accept: "*/*" } });
  expect([program.status, program.json.detail]).toEqual([404, expect.stringContaining("/console")]);
});
