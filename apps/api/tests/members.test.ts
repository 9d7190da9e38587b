// People join by invitations and sign-in links, each of which works once; and a signed-in browser.

import { createHash } from "node:crypto";
import { routes, validate } from "@dari/contract";
import { apiKeys, members, signIns } from "@dari/db";
import { newId } from "@dari/domain";
import { createTestKey, createTestMember, signInTestMember } from "@dari/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { startTestApi, type CallOptions, type TestApi, type TestReply } from "./api-fixture.ts";
import { cookieOf, createPeople, tokenOf, type People } from "./people.ts";

let api: TestApi;
let people: People;
let org: People["org"];
let own: string;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => api[Symbol.asyncDispose]());
beforeEach(async () => {
  people = await createPeople(api);
  ({ org, own } = people);
});

const call: People["call"] = (...args) => people.call(...args);
const by: People["by"] = (...args) => people.by(...args);
const invite: People["invite"] = (...args) => people.invite(...args);
const open: People["open"] = (...args) => people.open(...args);
const join: People["join"] = (...args) => people.join(...args);

describe("an invitation", () => {
  test("has a link, and is listed without it; inviting again creates a new link and changes the role", async () => {
    const first = await invite("member", "Ann@Example.com");
    expect(first).toMatchObject({ email: "ann@example.com", role: "member" });
    expect(first.url).toMatch(new RegExp(`^${api.url}/console/join#dinv_[\\w-]{43}$`));
    const { rows } = await api.db.pool.query("select * from invitations where id = $1", [first.id]);
    expect(rows[0].secret_hash).toEqual(createHash("sha256").update(tokenOf(first)).digest());
    const second = await invite("admin", "ann@example.com");
    expect(second).toMatchObject({ id: first.id, role: "admin" });
    const list = await call("GET", `${own}/invitations`);
    expect([list.status, validate(routes.listInvitations.reply, list.json)]).toEqual([200, []]);
    expect(list.text).not.toMatch(/dinv_|join/);
    expect((await open(tokenOf(first))).status).toBe(404);
    expect((await open(tokenOf(second))).status).toBe(200);
    expect((await call("GET", `${own}/invitations`)).json["data"]).toEqual([]);
    const again = await call("POST", `${own}/invitations`, { body: { email: "ann@example.com", role: "member" } });
    expect([again.status, again.json.code]).toEqual([409, "conflict"]);
  });

  test("is created once per idempotency key, and shows its link once", async () => {
    const body = { email: "twice@people.example", role: "member" };
    const make = () => call("POST", `${own}/invitations`, { body, headers: { "idempotency-key": "k" } });
    const [first, second] = [await make(), await make()];
    expect(second.json).toMatchObject({ id: first.json["id"] });
    expect([first.json["url"], second.json["url"]]).toEqual([expect.any(String), undefined]);
    expect((await open(tokenOf(first.json))).status).toBe(200);
  });

  test("opens once, for one of fifty concurrent callers", async () => {
    const token = tokenOf(await invite("member"));
    const replies = await Promise.all(Array.from({ length: 50 }, () => open(token)));
    expect(replies.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 49 }, () => 404)]);
    const { rows } = await api.db.pool.query(
      "select (select count(*)::int from members where organization_id = $1) as people, " +
        "(select count(*)::int from sign_ins where organization_id = $1) as browsers",
      [org.organizationId],
    );
    expect(rows).toEqual([{ people: 1, browsers: 1 }]);
  });

  test("opens nothing once revoked, expired, or of a deleted organization: all with the same error", async () => {
    const revoked = await invite("member", "revoked@people.example");
    expect((await call("DELETE", `${own}/invitations/${revoked.id}`)).json).toEqual({ deleted: true, id: revoked.id });
    expect((await call("DELETE", `${own}/invitations/${revoked.id}`)).status).toBe(404);
    const expired = await invite("member", "expired@people.example");
    await api.db.pool.query("update invitations set expires_at = clock_timestamp() where id = $1", [expired.id]);
    const orphan = await invite("member", "orphan@people.example");
    await call("DELETE", own, { key: api.operator.apiKey });
    const tokens = [revoked, expired, orphan].map(tokenOf);
    const replies = await Promise.all(
      [...tokens, "dinv_nonsense", `dari_${"x".repeat(43)}`].map((token) => open(token)),
    );
    expect(new Set(replies.map(({ json }) => json.detail))).toEqual(
      new Set(["this link no longer works: it was used, replaced or revoked, or has expired; ask for a new one"]),
    );
    expect(replies.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404]);
    expect(replies.map(({ headers }) => headers.get("set-cookie"))).toEqual(replies.map(() => null));
  });

  test("does not open a membership that its address got in the meantime", async () => {
    const token = tokenOf(await invite("member", "late@people.example"));
    const late = { id: newId("member"), organizationId: org.organizationId, email: "late@people.example" };
    await members.insertMemberIfNew(api.db, { ...late, role: "owner" });
    expect((await open(token)).status).toBe(404);
  });

  test("their number is limited, and existing ones can still be renewed", async () => {
    await api.db.pool.query(
      `insert into invitations (id, organization_id, email, role)
        select 'inv_' || i, $1, i || '@people.example', 'member' from generate_series(1, 1000) i`,
      [org.organizationId],
    );
    const reply = await call("POST", `${own}/invitations`, { body: { email: "more@x.example", role: "member" } });
    expect([reply.status, reply.json.detail]).toEqual([
      409,
      expect.stringMatching(/limit reached: 1000 open invitations/),
    ]);
    await invite("admin", "7@people.example");
  });

  test("can be created by an operator for any organization, so that its first owner can sign in", async () => {
    const body = { email: "first@people.example", role: "owner" };
    const stranger = await call("POST", `${own}/invitations`, { key: api.stranger.apiKey, body });
    expect(stranger.status).toBe(404);
    const made = await call("POST", `${own}/invitations`, { key: api.operator.apiKey, body });
    const me = await by(cookieOf(await open(tokenOf(made.json))), "GET", "/v1/me");
    expect(me.json).toMatchObject({ organization: { id: org.organizationId }, member: { role: "owner" } });
    const { id } = me.json["member"] as { id: string };
    const listed = await call("GET", `${own}/members`, { key: api.operator.apiKey });
    expect(listed.json["data"]).toEqual([expect.objectContaining({ id })]);
    const link = `${own}/members/${id}/sign-in-link`;
    expect((await call("POST", link, { key: api.operator.apiKey })).status).toBe(201);
    expect((await call("POST", link, { key: api.stranger.apiKey })).status).toBe(404);
  });
});

describe("a browser", () => {
  test("is signed in by a cookie that scripts cannot read and other sites cannot send", async () => {
    const reply = await open(tokenOf(await invite("member")));
    const cookie = reply.headers.get("set-cookie") ?? "";
    expect(cookie).toMatch(/^dari_sign_in=dses_[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=1209600$/);
    const { rows } = await api.db.pool.query("select secret_hash from sign_ins where member_id = $1", [
      reply.json["member_id"],
    ]);
    const [, secret = ""] = cookieOf(reply).split("=");
    expect(rows).toEqual([{ secret_hash: createHash("sha256").update(secret).digest() }]);
    expect(reply.text).not.toContain(secret);
    expect(JSON.stringify(api.log)).not.toContain(secret);
    Object.assign(api.control, { publicUrl: "https://dari.example" });
    const secure = (await open(tokenOf(await invite("admin")))).headers.get("set-cookie");
    // Over https, only the name that no other host can set is accepted.
    const plain = await by(cookieOf(reply), "GET", "/v1/me");
    const prefixed = await by(`__Host-${cookieOf(reply)}`, "GET", "/v1/me");
    Object.assign(api.control, { publicUrl: api.url });
    expect(secure).toMatch(/^__Host-dari_sign_in=.*; Secure$/);
    expect([plain.status, prefixed.status]).toEqual([401, 200]);
  });

  test("allows what the person's role allows, and says who the person is", async () => {
    const { cookie, memberId } = await join("member");
    const me = await by(cookie, "GET", "/v1/me");
    expect([me.status, validate(routes.getMe.reply, me.json)]).toEqual([200, []]);
    expect(me.json).toMatchObject({
      method: "link",
      scopes: ["deploy", "run", "read"],
      organization: { id: org.organizationId, role: "member" },
      member: { id: memberId, email: "member@people.example", role: "member" },
    });
    expect((await by(cookie, "GET", "/v1/agents")).status).toBe(200);
    const refused = await by(cookie, "GET", `${own}/members`);
    expect([refused.status, refused.json.detail]).toEqual([
      403,
      "your role does not have the scope 'admin', which this request requires (it has: deploy, run, read); " +
        "ask an admin of the organization",
    ]);
    const foreign = await by(cookie, "GET", `/v1/organizations/${api.stranger.organizationId}`);
    expect(foreign.status).toBe(404);
    expect((await call("GET", "/v1/me")).json).toMatchObject({ method: "key", member: null, scopes: ["admin"] });
  });

  test.each([
    [{ origin: "https://evil.example" }],
    [{ origin: "null" }],
    [{}],
    [{ origin: "own", "sec-fetch-site": "same-site" }],
    [{ origin: "own", "sec-fetch-site": "cross-site" }],
  ])("changes nothing for a request of another site: %j", async (headers: Record<string, string>) => {
    const { cookie } = await join("owner");
    const sent = { ...headers, ...(headers["origin"] === "own" ? { origin: api.url } : {}), cookie };
    for (const [method, path] of [
      ["POST", `${own}/api-keys`],
      ["DELETE", "/v1/me/sign-in"],
    ] as const) {
      const body = method === "POST" ? { label: "stolen" } : undefined;
      const reply = await api.call(method, path, { key: null, body, headers: sent });
      expect([method, reply.status, reply.json.code]).toEqual([method, 403, "forbidden"]);
    }
    expect((await by(cookie, "GET", "/v1/me")).status).toBe(200);
  });

  test("cannot be signed in by another site", async () => {
    const token = tokenOf(await invite("member"));
    for (const headers of [{ origin: "https://evil.example" }, { "sec-fetch-site": "cross-site" }]) {
      const reply = await open(token, headers as Record<string, string>);
      expect([reply.status, reply.headers.get("set-cookie")]).toEqual([403, null]);
    }
    expect((await open(token, { origin: api.url, "sec-fetch-site": "same-origin" })).status).toBe(200);
  });

  test("signs out; its cookie opens nothing after that, nor after its time", async () => {
    const { cookie, memberId } = await join("member");
    const out = await by(cookie, "DELETE", "/v1/me/sign-in");
    expect([out.json, out.headers.get("set-cookie")]).toEqual([
      { signed_out: true },
      expect.stringMatching(/^dari_sign_in=; .*Max-Age=0/),
    ]);
    const { cookie: late, signInId } = await signInTestMember(api.db, org.organizationId, memberId);
    expect((await by(late, "GET", "/v1/me")).status).toBe(200);
    await api.db.pool.query("update sign_ins set expires_at = clock_timestamp() where id = $1", [signInId]);
    const replies = [
      await by(cookie, "GET", "/v1/me"),
      await by(late, "GET", "/v1/me"),
      await by("dari_sign_in=dses_nonsense", "GET", "/v1/me"),
      await by(`dari_sign_in=${org.apiKey}`, "GET", "/v1/me"),
    ];
    expect(replies.map(({ status, json }) => [status, json.detail])).toEqual(
      replies.map(() => [401, "Missing or invalid API key"]),
    );
  });

  test("a key in the header goes before the cookie", async () => {
    const { cookie } = await join("owner");
    const { apiKey } = await createTestKey(api.db, org.organizationId, ["read"]);
    const reply = await call("GET", `${own}/members`, { key: apiKey, headers: { cookie } });
    expect(reply.status).toBe(403);
  });

  test("an operator's person looks after the installation by it", async () => {
    const { organizationId } = api.operator;
    const { memberId } = await createTestMember(api.db, organizationId, "admin");
    const { cookie } = await signInTestMember(api.db, organizationId, memberId);
    expect((await by(cookie, "GET", `${own}`)).json).toMatchObject({ id: org.organizationId });
    // There is no queue here, and only operators see that.
    const board = async (of: string): Promise<number> => (await by(of, "GET", "/ops/queues")).status;
    expect([await board(cookie), await board((await join("owner")).cookie), await board("")]).toEqual([404, 403, 401]);
    const headers = { cookie, origin: "https://evil.example" };
    expect((await api.call("PUT", "/ops/queues/api/queues/x/promote", { key: null, headers })).status).toBe(403);
  });
});

describe("a sign-in link", () => {
  const makeLink = (memberId: string, options: CallOptions = {}): Promise<TestReply> =>
    call("POST", `${own}/members/${memberId}/sign-in-link`, options);

  test("signs its member in once; a new one replaces the previous one", async () => {
    const { memberId } = await join("member");
    const [first, second] = [await makeLink(memberId), await makeLink(memberId)];
    expect([first.status, validate(routes.createSignInLink.reply, first.json)]).toEqual([201, []]);
    expect((await open(tokenOf(first.json))).status).toBe(404);
    const token = tokenOf(second.json);
    const replies = await Promise.all(Array.from({ length: 50 }, () => open(token)));
    const good = replies.filter(({ status }) => status === 200);
    expect(good).toHaveLength(1);
    expect((await by(cookieOf(good[0]!), "GET", "/v1/me")).json).toMatchObject({ member: { id: memberId } });
    const late = await makeLink(memberId);
    await api.db.pool.query("update sign_in_links set expires_at = clock_timestamp()");
    expect((await open(tokenOf(late.json))).status).toBe(404);
  });

  test("of an owner can be created by owners and the organization's key; across organizations by no one", async () => {
    const [owner, admin] = [await join("owner"), await join("admin")];
    const path = `${own}/members/${owner.memberId}/sign-in-link`;
    expect((await by(admin.cookie, "POST", path)).status).toBe(403);
    expect((await by(owner.cookie, "POST", path)).status).toBe(201);
    expect((await makeLink(owner.memberId)).status).toBe(201);
    const { memberId } = await createTestMember(api.db, api.stranger.organizationId);
    expect((await makeLink(memberId)).status).toBe(404);
    expect((await makeLink(memberId, { key: api.stranger.apiKey })).status).toBe(404);
  });
});

test("a stream that a person watches ends when the person is removed", async () => {
  const { memberId } = await createTestMember(api.db, org.organizationId, "member");
  const { signInId } = await signInTestMember(api.db, org.organizationId, memberId);
  const { keyId } = await createTestKey(api.db, org.organizationId, ["read"]);
  expect(await signIns.listUsableSignInIds(api.db, [signInId, keyId])).toEqual(new Set([signInId]));
  expect(await apiKeys.listUsableKeyIds(api.db, [signInId, keyId])).toEqual(new Set([keyId]));
  await call("DELETE", `${own}/members/${memberId}`);
  expect(await signIns.listUsableSignInIds(api.db, [signInId])).toEqual(new Set());
});

test("tries are counted by address, and an address with too many is refused for a while", async () => {
  const tries = Array.from({ length: 121 }, () => open("dlnk_nonsense"));
  const replies = await Promise.all(tries);
  const refused = replies.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(0);
  expect(Number(refused[0]!.headers.get("retry-after"))).toBeGreaterThan(0);
  await api.db.pool.query("update sign_in_tries set started_at = clock_timestamp() - interval '1 minute'");
  expect((await open("dlnk_nonsense")).status).toBe(404);
});
