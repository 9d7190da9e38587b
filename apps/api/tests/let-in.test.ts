// Sign-ins that a person opened as another person, and links made for others, end with the person's membership or
// higher role.

import type { DevicePolled, DeviceStarted } from "@dari/contract";
import { createTestMember, signInTestMember } from "@dari/testkit";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import { cookieOf, createPeople, tokenOf, type People } from "./people.ts";

let api: TestApi;
let people: People;
let own: string;
let admin: { readonly memberId: string; readonly cookie: string };
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => api[Symbol.asyncDispose]());
beforeEach(async () => {
  people = await createPeople(api);
  ({ own } = people);
  admin = await people.join("admin");
});

/** A sign-in link for the member, made with this cookie. */
async function link(cookie: string, memberId: string, of = own): Promise<string> {
  const made = await people.by(cookie, "POST", `${of}/members/${memberId}/sign-in-link`);
  expect(made.status).toBe(201);
  return tokenOf(made.json);
}

/** Signs in as the member by such a link. */
async function become(cookie: string, memberId: string): Promise<string> {
  return cookieOf(await people.open(await link(cookie, memberId)));
}

async function invite(cookie: string, email: string): Promise<string> {
  return tokenOf((await people.by(cookie, "POST", `${own}/invitations`, { email, role: "member" })).json);
}

async function start(): Promise<DeviceStarted> {
  const body = { device_name: "laptop" };
  return (await api.call("POST", "/v1/auth/device", { key: null, body })).json as unknown as DeviceStarted;
}

async function approve(cookie: string, device: DeviceStarted): Promise<void> {
  const body = { user_code: device.user_code, decision: "approve" };
  expect((await people.by(cookie, "POST", "/v1/me/device", body)).status).toBe(200);
}

async function poll({ device_code }: DeviceStarted): Promise<DevicePolled> {
  const reply = await api.call("POST", "/v1/auth/device/token", { key: null, body: { device_code } });
  return reply.json as unknown as DevicePolled;
}

const me = async (cookie: string): Promise<number> => (await people.by(cookie, "GET", "/v1/me")).status;

const remove = (memberId: string) => people.call("DELETE", `${own}/members/${memberId}`);
const lower = (memberId: string) => people.call("PATCH", `${own}/members/${memberId}`, { body: { role: "member" } });

test.each([
  ["removed", remove],
  ["given the role member", lower],
] as const)(
  "a person who is %s loses all sign-ins that were opened through others, directly or indirectly",
  async (_how, end) => {
    const bob = (await createTestMember(api.db, people.org.organizationId, "admin")).memberId;
    const eve = (await createTestMember(api.db, people.org.organizationId, "member")).memberId;
    const asBob = await become(admin.cookie, bob);
    const asEve = await become(asBob, eve);
    const [taken, waiting] = [await start(), await start()];
    await approve(asBob, taken);
    await approve(asBob, waiting);
    const key = String((await poll(taken)).api_key);
    const viaKey = await api.call("POST", `${own}/invitations`, {
      key,
      body: { email: "k@x.example", role: "member" },
    });
    const unopened = [
      await invite(admin.cookie, "one@x.example"),
      await invite(asBob, "two@x.example"),
      tokenOf(viaKey.json),
      await link(asBob, bob),
      await link(admin.cookie, eve),
    ];
    expect([await me(asBob), await me(asEve), (await api.call("GET", "/v1/me", { key })).status]).toEqual([
      200, 200, 200,
    ]);
    expect((await end(admin.memberId)).status).toBe(200);
    expect([await me(asBob), await me(asEve), (await api.call("GET", "/v1/me", { key })).status]).toEqual([
      401, 401, 401,
    ]);
    expect((await poll(waiting)).status).toBe("expired_token");
    expect(await Promise.all(unopened.map(async (token) => (await people.open(token)).status))).toEqual(
      unopened.map(() => 404),
    );
  },
);

test("a device key that was requested through a link ends with the person who made the link", async () => {
  const bob = (await createTestMember(api.db, people.org.organizationId, "admin")).memberId;
  const asBob = await become(admin.cookie, bob);
  const path = `${own}/managed-cli-key/ensure`;
  const first = String((await people.by(asBob, "POST", path, { device_name: "laptop" })).json["api_key"]);
  const asked = await api.call("POST", path, { key: first, body: { device_name: "tablet" } });
  const keys = [first, String(asked.json["api_key"])];
  const works = () => Promise.all(keys.map(async (key) => (await api.call("GET", "/v1/me", { key })).status));
  expect(await works()).toEqual([200, 200]);
  expect((await remove(admin.memberId)).status).toBe(200);
  expect(await works()).toEqual([401, 401]);
});

test("what others have made stays, as do members whom the person has invited", async () => {
  const other = await people.join("owner");
  const eve = (await createTestMember(api.db, people.org.organizationId, "member")).memberId;
  const invited = cookieOf(await people.open(await invite(admin.cookie, "bob@x.example")));
  const signedIn = await become(other.cookie, eve);
  await invite(admin.cookie, "again@x.example");
  const again = await invite(other.cookie, "again@x.example");
  await remove(admin.memberId);
  expect([await me(invited), await me(signedIn), await me(other.cookie)]).toEqual([200, 200, 200]);
  expect((await people.open(again)).status).toBe(200);
});

test("an operator's person loses access to other organizations too", async () => {
  const { organizationId } = api.operator;
  const { memberId } = await createTestMember(api.db, organizationId, "admin");
  const { cookie } = await signInTestMember(api.db, organizationId, memberId);
  const asAdmin = cookieOf(await people.open(await link(cookie, admin.memberId)));
  const unopened = await link(cookie, admin.memberId);
  const path = `/v1/organizations/${organizationId}/members/${memberId}`;
  const ended = await api.call("PATCH", path, { key: api.operator.apiKey, body: { role: "member" } });
  expect([ended.status, await me(asAdmin), (await people.open(unopened)).status]).toEqual([200, 401, 404]);
});

test("a link that is being made while its maker loses the role opens nothing", async () => {
  const eve = (await createTestMember(api.db, people.org.organizationId, "member")).memberId;
  const makes = Array.from({ length: 10 }, () => people.by(admin.cookie, "POST", `${own}/members/${eve}/sign-in-link`));
  const [ended, ...made] = await Promise.all([lower(admin.memberId), ...makes]);
  expect(ended.status).toBe(200);
  for (const { status, json } of made) {
    expect([201, 403]).toContain(status);
    if (status === 201) expect((await people.open(tokenOf(json))).status).toBe(404);
  }
});
