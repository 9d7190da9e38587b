// Signing in through an identity provider: a real one on loopback with signed tokens, and everything that can be wrong
// in its answer.

import { members } from "@dari/db";
import { newId, Redacted } from "@dari/domain";
import {
  createTestOrganization,
  signInTestMember,
  startOidcServer,
  type OidcFault,
  type TestOidcServer,
} from "@dari/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";

let provider: TestOidcServer;
let api: TestApi;
let organizationId: string;
beforeAll(async () => {
  provider = await startOidcServer();
  const { issuer, clientId } = provider;
  const clientSecret = new Redacted(provider.clientSecret);
  api = await startTestApi({ oidc: { issuer, clientId, clientSecret, name: "Example", email: "verified" } });
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await provider[Symbol.asyncDispose]();
});
beforeEach(async () => {
  ({ organizationId } = await createTestOrganization(api.db));
  Object.assign(provider, { user: { sub: newId("member"), email: "", email_verified: true } });
  Object.assign(provider, { fault: undefined, emailApart: false });
  await api.db.pool.query("delete from sign_in_tries");
});

async function addMember(email: string, of = organizationId): Promise<string> {
  const id = newId("member");
  expect(await members.insertMemberIfNew(api.db, { id, organizationId: of, email, role: "member" })).toBeDefined();
  return id;
}

const get = (path: string, cookie = ""): Promise<TestReply> =>
  api.call("GET", path, { key: null, headers: cookie === "" ? {} : { cookie } });
const cookiesOf = (reply: TestReply): string[] => reply.headers.getSetCookie().map((one) => one.split(";")[0]!);
const to = (reply: TestReply): string => String(reply.headers.get("location"));

/** From the platform to the provider. */
async function leave(query = ""): Promise<{ readonly cookie: string; readonly at: string }> {
  const reply = await get(`/auth/oidc/start${query}`);
  expect(reply.status).toBe(303);
  return { cookie: String(cookiesOf(reply)[0]), at: to(reply) };
}

/** To where the provider redirects the browser. */
async function askProvider(at: string): Promise<string> {
  const reply = await fetch(at, { redirect: "manual" });
  const back = new URL(String(reply.headers.get("location")));
  expect(back.origin).toBe(api.url);
  return back.pathname + back.search;
}

async function signIn(query = ""): Promise<{ readonly reply: TestReply; readonly cookie: string }> {
  const { cookie, at } = await leave(query);
  const reply = await get(await askProvider(at), cookie);
  expect(reply.status).toBe(303);
  const mine = cookiesOf(reply).find((one) => /^dari_sign_in=dses/.test(one));
  return { reply, cookie: mine ?? "" };
}

const me = async (cookie: string): Promise<Record<string, unknown>> => (await get("/v1/me", cookie)).json;

describe("a person who comes from the provider", () => {
  test("is signed in as the member with that address, and stays that member when the address changes", async () => {
    const memberId = await addMember("ann@people.example");
    Object.assign(provider.user, { email: "Ann@People.example" });
    const { reply, cookie } = await signIn();
    expect(to(reply)).toBe("/console");
    expect(reply.headers.getSetCookie()[1]).toMatch(
      /^dari_sign_in=dses_[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/,
    );
    expect(await me(cookie)).toMatchObject({ method: "oidc", member: { id: memberId } });
    Object.assign(provider.user, { email: "ann.newname@people.example" });
    expect(await me((await signIn()).cookie)).toMatchObject({ member: { id: memberId } });
  });

  test("is not the member whose address the provider has given to another person", async () => {
    const memberId = await addMember("passed-on@people.example");
    Object.assign(provider.user, { email: "passed-on@people.example" });
    expect(await me((await signIn()).cookie)).toMatchObject({ member: { id: memberId } });
    Object.assign(provider.user, { sub: "a new colleague" });
    expect(to((await signIn()).reply)).toBe("/console?problem=no_member");
  });

  test("is found by the address that only the user info tells", async () => {
    const memberId = await addMember("apart@people.example");
    Object.assign(provider.user, { email: "apart@people.example" });
    Object.assign(provider, { emailApart: true });
    expect(await me((await signIn()).cookie)).toMatchObject({ member: { id: memberId } });
  });

  test("is refused without a verified address, and without a membership: an invitation alone is not one", async () => {
    await addMember("unverified@people.example");
    Object.assign(provider.user, { email: "unverified@people.example", email_verified: false });
    expect(to((await signIn()).reply)).toBe("/console?problem=no_email");
    Object.assign(provider.user, { email: undefined });
    expect(to((await signIn()).reply)).toBe("/console?problem=no_email");
    // The lower case of the Kelvin sign is a k.
    await addMember("kate@people.example");
    Object.assign(provider.user, { email: "\u212aate@people.example", email_verified: true });
    expect(to((await signIn()).reply)).toBe("/console?problem=no_email");
    const body = { email: "invited@people.example", role: "owner" };
    await api.call("POST", `/v1/organizations/${organizationId}/invitations`, { key: api.operator.apiKey, body });
    Object.assign(provider.user, { email: "invited@people.example", email_verified: true });
    const { reply, cookie } = await signIn();
    expect([to(reply), cookie]).toEqual(["/console?problem=no_member", ""]);
  });

  test("is signed in to the organization that was used last, or to the requested one", async () => {
    const { organizationId: other } = await createTestOrganization(api.db);
    const [here, there] = [await addMember("both@people.example"), await addMember("both@people.example", other)];
    Object.assign(provider.user, { email: "both@people.example" });
    expect(await me((await signIn(`?organization=${other}`)).cookie)).toMatchObject({ member: { id: there } });
    expect(await me((await signIn()).cookie)).toMatchObject({ member: { id: there } });
    expect(await me((await signIn(`?organization=${organizationId}`)).cookie)).toMatchObject({ member: { id: here } });
    const strange = await signIn(`?organization=${api.stranger.organizationId}`);
    expect(to(strange.reply)).toBe("/console?problem=no_member");
  });

  test("is signed in to the requested organization, whatever others have made the address a member of", async () => {
    await api.db.pool.query(
      `insert into organizations (id, name, slug)
        select 'org_many' || i, 'x', 'many-' || i from generate_series(1, 100) i`,
    );
    await api.db.pool.query(`insert into members (id, organization_id, email, role)
      select 'mem_00' || i, 'org_many' || i, 'many@people.example', 'member' from generate_series(1, 100) i`);
    const memberId = await addMember("many@people.example");
    Object.assign(provider.user, { email: "many@people.example" });
    expect(await me((await signIn(`?organization=${organizationId}`)).cookie)).toMatchObject({
      member: { id: memberId },
    });
  });

  test("is not led by another's link at the first sign-in, if several organizations have the address", async () => {
    const memberId = await addMember("first@people.example");
    const { organizationId: others } = await createTestOrganization(api.db);
    await signInTestMember(api.db, others, await addMember("first@people.example", others));
    Object.assign(provider.user, { email: "first@people.example" });
    const { reply, cookie } = await signIn();
    expect([to(reply), cookie]).toEqual(["/console?problem=several_members", ""]);
    const asked = await signIn(`?organization=${organizationId}`);
    expect(await me(asked.cookie)).toMatchObject({ member: { id: memberId } });
    expect(await me((await signIn()).cookie)).toMatchObject({ member: { id: memberId } });
  });

  test("is signed in to an organization that added the address only by requesting it", async () => {
    const memberId = await addMember("ann@invited.example");
    Object.assign(provider.user, { email: "ann@invited.example" });
    expect(await me((await signIn()).cookie)).toMatchObject({ member: { id: memberId } });
    const { organizationId: others } = await createTestOrganization(api.db);
    const there = await addMember("ann@invited.example", others);
    await signInTestMember(api.db, others, there);
    expect(await me((await signIn()).cookie)).toMatchObject({ member: { id: memberId } });
    const asked = (site: string): Promise<TestReply> =>
      api.call("GET", `/auth/oidc/start?organization=${others}`, { key: null, headers: { "sec-fetch-site": site } });
    const arrive = async (start: TestReply): Promise<unknown> => {
      const reply = await get(await askProvider(to(start)), String(cookiesOf(start)[0]));
      return me(String(cookiesOf(reply)[1]));
    };
    expect(await arrive(await asked("cross-site"))).toMatchObject({ member: { id: memberId } });
    expect(await arrive(await asked("none"))).toMatchObject({ member: { id: there } });
  });

  test("is refused after the removal, and for a deleted organization", async () => {
    const memberId = await addMember("gone@people.example");
    Object.assign(provider.user, { email: "gone@people.example" });
    const { cookie } = await signIn();
    await api.db.pool.query("update organizations set deleted_at = clock_timestamp() where id = $1", [organizationId]);
    expect((await get("/v1/me", cookie)).status).toBe(401);
    expect(to((await signIn()).reply)).toBe("/console?problem=no_member");
    await api.db.pool.query("update organizations set deleted_at = null where id = $1", [organizationId]);
    await api.db.pool.query("delete from members where id = $1", [memberId]);
    expect((await get("/v1/me", cookie)).status).toBe(401);
    expect(to((await signIn()).reply)).toBe("/console?problem=no_member");
  });
});

describe("the sign-in at the provider, and the way back", () => {
  test("carries a challenge and not its answer, a state and a nonce", async () => {
    const { at, cookie } = await leave();
    const url = new URL(at);
    expect([url.origin, url.pathname]).toEqual([provider.issuer, "/authorize"]);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      redirect_uri: `${api.url}/auth/oidc/callback`,
      scope: "openid email",
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: "S256",
      client_id: "dari",
      response_type: "code",
    });
    expect(cookie).toMatch(/^dari_oidc=[\w-]+\.[\w-]+$/);
    const reply = await get("/auth/oidc/start");
    expect(reply.headers.get("set-cookie")).toMatch(/; Path=\/; HttpOnly; SameSite=Lax; Max-Age=600$/);
  });

  test.each<[OidcFault]>([
    ["denied"],
    ["wrong_nonce"],
    ["wrong_audience"],
    ["wrong_issuer"],
    ["wrong_key"],
    ["expired"],
  ])("ends nowhere when the provider's answer is %s", async (fault) => {
    await addMember(`${fault}@people.example`);
    Object.assign(provider.user, { email: `${fault}@people.example` });
    Object.assign(provider, { fault });
    const { reply, cookie } = await signIn();
    expect([to(reply), cookie]).toEqual(["/console?problem=refused", ""]);
  });

  test("fails if the user info is about another person", async () => {
    await addMember("other@people.example");
    Object.assign(provider.user, { email: "other@people.example" });
    Object.assign(provider, { fault: "other_subject", emailApart: true });
    expect(to((await signIn()).reply)).toBe("/console?problem=refused");
  });

  test("reports that the provider is unreachable, and asks again when it is back", async () => {
    const { issuer, clientId } = provider;
    const clientSecret = new Redacted(provider.clientSecret);
    await using late = await startTestApi({
      oidc: { issuer, clientId, clientSecret, name: "Example", email: "verified" },
    });
    Object.assign(provider, { fault: "away" });
    const away = await late.call("GET", "/auth/oidc/start", { key: null });
    expect([away.status, to(away)]).toEqual([303, "/console?problem=unavailable"]);
    Object.assign(provider, { fault: undefined });
    const back = await late.call("GET", "/auth/oidc/start", { key: null });
    expect(to(back)).toContain(`${issuer}/authorize?`);
  });

  test("belongs to one browser: another cookie, a changed one, and a used code open nothing", async () => {
    await addMember("once@people.example");
    Object.assign(provider.user, { email: "once@people.example" });
    const [mine, others] = [await leave(), await leave()];
    const back = await askProvider(mine.at);
    const expectNothing = async (path: string, cookie: string, problem: string): Promise<void> => {
      const reply = await get(path, cookie);
      expect([to(reply), cookiesOf(reply)]).toEqual([`/console?problem=${problem}`, ["dari_oidc="]]);
    };
    await expectNothing(back, "", "expired");
    await expectNothing(back, others.cookie, "refused");
    const [text = "", signature = ""] = mine.cookie.slice("dari_oidc=".length).split(".");
    const state = JSON.parse(Buffer.from(text, "base64url").toString()) as Record<string, unknown>;
    const longer = Buffer.from(JSON.stringify({ ...state, until: 9e15 })).toString("base64url");
    await expectNothing(back, `dari_oidc=${longer}.${signature}`, "expired");
    await expectNothing(back, `dari_oidc=${text}`, "expired");
    expect(to(await get(back, mine.cookie))).toBe("/console");
    await expectNothing(back, mine.cookie, "refused");
  });

  test.each([
    ["/console/device?code=WDJB-MJHT", "/console/device?code=WDJB-MJHT"],
    ["/console/sessions/sess_1", "/console/sessions/sess_1"],
    ["https://evil.example/console", "/console"],
    ["//evil.example/console", "/console"],
    ["/console//evil.example", "/console//evil.example"],
    ["/\\evil.example", "/console"],
    ["/console\\..\\..", "/console"],
    ["/consolevil", "/console"],
    ["/console@evil.example", "/console"],
    ["/console/../v1/me", "/console"],
    ["/console/%0d%0aset-cookie:x", "/console"],
    ["javascript:alert(1)", "/console"],
    [`/console/${"x".repeat(500)}`, "/console"],
  ])("leads back to %s as %s", async (wanted, place) => {
    await addMember("returns@people.example");
    Object.assign(provider.user, { email: "returns@people.example" });
    const { reply } = await signIn(`?return_to=${encodeURIComponent(wanted)}`);
    expect(new URL(to(reply), api.url).origin).toBe(api.url);
    expect(to(reply)).toBe(place);
  });

  test("is counted by address", async () => {
    const replies = await Promise.all(Array.from({ length: 121 }, () => get("/auth/oidc/callback")));
    expect(replies.filter(({ status }) => status === 429)).toHaveLength(1);
  });

  test("neither secrets nor codes are in the log", async () => {
    await addMember("silent@people.example");
    Object.assign(provider.user, { email: "silent@people.example" });
    const { cookie, at } = await leave();
    const back = await askProvider(at);
    const signedIn = cookiesOf(await get(back, cookie))[1] ?? "";
    const code = new URL(back, api.url).searchParams.get("code") ?? "";
    await get(back, cookie);
    const log = JSON.stringify(api.log, (_key, value: unknown) =>
      value instanceof Error ? String(value.stack) : value,
    );
    for (const secret of [code, signedIn.split("=")[1]!, provider.clientSecret]) expect(log).not.toContain(secret);
  });
});

test("the platform lists the ways to sign in, with a provider and without", async () => {
  const config = await get("/v1/auth/config");
  expect(config.json).toMatchObject({ sign_in: { oidc: true, oidc_name: "Example" } });
  await using without = await startTestApi();
  const plain = await without.call("GET", "/v1/auth/config", { key: null });
  expect(plain.json).toMatchObject({ sign_in: { oidc: false, oidc_name: null } });
  for (const path of ["/auth/oidc/start", "/auth/oidc/callback"]) {
    expect((await without.call("GET", path, { key: null })).status).toBe(404);
    expect((await without.call("POST", path, { key: null })).status).toBe(405);
  }
});

test("the short address leads to the page that approves a device", async () => {
  const at = async (query: string): Promise<string> => to(await get(`/device${query}`));
  expect(await at("")).toBe("/console/device");
  expect(await at("?code=WDJB-MJHT")).toBe("/console/device?code=WDJB-MJHT");
  expect(await at("?code=//evil.example")).toBe("/console/device");
  expect((await api.call("POST", "/device", { key: null })).status).toBe(405);
});
