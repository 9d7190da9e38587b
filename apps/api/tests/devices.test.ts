// Command lines that a person authorizes with the browser (RFC 8628): one key per approval, and none without one.

import { createHash } from "node:crypto";
import { routes, validate, type DevicePolled, type DeviceStarted } from "@dari/contract";
import { deviceRequests } from "@dari/db";
import { createTestKey, createTestMember, createTestOrganization, signInTestMember } from "@dari/testkit";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";

let api: TestApi;
let organizationId: string;
let memberId: string;
let cookie: string;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => api[Symbol.asyncDispose]());
beforeEach(async () => {
  ({ organizationId } = await createTestOrganization(api.db));
  ({ memberId } = await createTestMember(api.db, organizationId, "member"));
  ({ cookie } = await signInTestMember(api.db, organizationId, memberId));
  await api.db.pool.query("delete from sign_in_tries");
});

const by = (of: string, method: string, path: string, body?: unknown): Promise<TestReply> =>
  api.call(method, path, { key: null, body, headers: { cookie: of, origin: api.url } });

async function start(deviceName = "laptop"): Promise<DeviceStarted> {
  const reply = await api.call("POST", "/v1/auth/device", { key: null, body: { device_name: deviceName } });
  expect([reply.status, validate(routes.startDevice.reply, reply.json)]).toEqual([200, []]);
  return reply.json as unknown as DeviceStarted;
}

async function poll(device: DeviceStarted): Promise<DevicePolled> {
  const body = { device_code: device.device_code };
  const reply = await api.call("POST", "/v1/auth/device/token", { key: null, body });
  expect([reply.status, validate(routes.pollDevice.reply, reply.json)]).toEqual([200, []]);
  return reply.json as unknown as DevicePolled;
}

/** Makes the polling interval pass. */
const letTimePass = (): Promise<unknown> =>
  api.db.pool.query("update device_requests set polled_at = polled_at - interval '1 hour'");

const decide = (device: { user_code: string }, decision: "approve" | "deny", of = cookie): Promise<TestReply> =>
  by(of, "POST", "/v1/me/device", { user_code: device.user_code, decision });

test("a device waits, a person sees its name and approves, and the next poll gets the person's key", async () => {
  const device = await start("Ann's laptop");
  expect(device).toMatchObject({
    user_code: expect.stringMatching(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/),
    verification_uri: `${api.url}/device`,
    verification_uri_complete: `${api.url}/device?code=${device.user_code}`,
    expires_in: 600,
    interval: 5,
  });
  expect((await poll(device)).status).toBe("authorization_pending");
  // People type lower case and spaces.
  const typed = device.user_code.toLowerCase().replace("-", "%20");
  const seen = await by(cookie, "GET", `/v1/me/device?user_code=${typed}`);
  expect([seen.status, validate(routes.getDeviceRequest.reply, seen.json)]).toEqual([200, []]);
  expect(seen.json).toMatchObject({ device_name: "Ann's laptop" });
  const decided = await decide(device, "approve");
  expect([decided.status, decided.json]).toEqual([200, { decision: "approve", device_name: "Ann's laptop" }]);
  await letTimePass();
  const polled = await poll(device);
  expect(polled).toMatchObject({ status: "approved", organization_id: organizationId, member_id: memberId });
  const key = String(polled.api_key);
  const me = await api.call("GET", "/v1/me", { key });
  expect(me.json).toMatchObject({ method: "key", scopes: ["deploy", "run", "read"], member: { id: memberId } });
  await letTimePass();
  expect(await poll(device)).toEqual({ status: "expired_token", interval: 5 });
  const { rows } = await api.db.pool.query(
    `select label, expires_at > clock_timestamp() + interval '89 days' as long,
      expires_at < clock_timestamp() + interval '91 days' as bounded from api_keys where member_id = $1`,
    [memberId],
  );
  expect(rows).toEqual([{ label: "cli: Ann's laptop", long: true, bounded: true }]);
});

test("no secret is stored, logged or in the audit log", async () => {
  const device = await start();
  const { rows } = await api.db.pool.query("select row_to_json(d)::text as text from device_requests d");
  const letters = device.user_code.replace("-", "");
  const bytes = (text: string): string => Buffer.from(text).toString("hex");
  for (const secret of [device.device_code, device.user_code, letters]) {
    expect(JSON.stringify(rows)).not.toContain(secret);
    expect(JSON.stringify(rows)).not.toContain(bytes(secret));
  }
  await decide(device, "approve");
  const { api_key: key } = await poll(device);
  const record = await api.db.pool.query("select row_to_json(a)::text as text from audit_entries a");
  for (const secret of [device.device_code, device.user_code, String(key)]) {
    expect(JSON.stringify([api.log, record.rows])).not.toContain(secret);
  }
});

test("an approval creates one key, for one of fifty polls, and one of fifty decisions counts", async () => {
  const device = await start();
  const decisions = await Promise.all(
    Array.from({ length: 10 }, (_, index) => decide(device, index % 2 === 0 ? "approve" : "deny")),
  );
  expect(decisions.filter(({ status }) => status === 200)).toHaveLength(1);
  await approveAnyhow();
  const polls = await Promise.all(Array.from({ length: 50 }, () => poll(device)));
  expect(polls.filter(({ api_key }) => api_key !== undefined)).toHaveLength(1);
  const { rows } = await api.db.pool.query("select count(*)::int as n from api_keys where member_id = $1", [memberId]);
  expect(rows).toEqual([{ n: 1 }]);
  // The same if no poll comes too early.
  const other = await start();
  await approveAnyhow();
  const hash = createHash("sha256").update(other.device_code).digest();
  const takes = Array.from({ length: 50 }, () => deviceRequests.takeDeviceRequestIfApproved(api.db, hash));
  expect((await Promise.all(takes)).filter((taken) => taken !== undefined)).toHaveLength(1);
});

/** Resets the decision. */
const approveAnyhow = (): Promise<unknown> =>
  api.db.pool.query("update device_requests set state = 'approved', organization_id = $1, member_id = $2", [
    organizationId,
    memberId,
  ]);

test("a caller that polls too often gets slow_down, each time with a longer interval", async () => {
  const device = await start();
  expect(await poll(device)).toEqual({ status: "authorization_pending", interval: 5 });
  expect(await poll(device)).toEqual({ status: "slow_down", interval: 10 });
  expect(await poll(device)).toEqual({ status: "slow_down", interval: 15 });
  await decide(device, "approve");
  expect(await poll(device)).toEqual({ status: "slow_down", interval: 20 });
  await letTimePass();
  expect((await poll(device)).status).toBe("approved");
});

test("a denied, an expired and an unknown device get nothing", async () => {
  const denied = await start();
  expect((await decide(denied, "deny")).status).toBe(200);
  expect((await poll(denied)).status).toBe("access_denied");
  expect((await decide(denied, "approve")).status).toBe(404);
  const expired = await start();
  await api.db.pool.query("update device_requests set expires_at = clock_timestamp()");
  expect((await poll(expired)).status).toBe("expired_token");
  const unknown = [
    await decide(expired, "approve"),
    await decide({ user_code: "BBBB-BBBB" }, "approve"),
    await by(cookie, "GET", `/v1/me/device?user_code=${expired.user_code}`),
  ];
  expect(new Set(unknown.map(({ status, json }) => `${status} ${json.detail}`))).toEqual(
    new Set(["404 no command line waits with this code; it is mistyped, expired or already decided"]),
  );
  for (const device_code of ["ddev_nonsense", `ddev_${"x".repeat(43)}`, denied.user_code]) {
    expect((await poll({ ...denied, device_code })).status).toBe("expired_token");
  }
});

test("an approval ends with the membership of the person who gave it", async () => {
  const device = await start();
  await decide(device, "approve");
  await api.db.pool.query("delete from members where id = $1", [memberId]);
  expect((await poll(device)).status).toBe("expired_token");
});

test("a browser that cannot manage owners cannot approve a device for an owner", async () => {
  // The browser's link may be from before its person became an owner.
  await api.db.pool.query("update members set role = 'owner' where id = $1", [memberId]);
  const invite = async (of: string): Promise<number> => {
    const device = await start();
    expect((await decide(device, "approve", of)).status).toBe(200);
    const key = String((await poll(device)).api_key);
    const body = { email: "eve@people.example", role: "owner" };
    return (await api.call("POST", `/v1/organizations/${organizationId}/invitations`, { key, body })).status;
  };
  expect(await invite(cookie)).toBe(403);
  const { cookie: newCookie } = await signInTestMember(api.db, organizationId, memberId);
  expect(await invite(newCookie)).toBe(201);
});

test("keys cannot approve a device, nor can a page of another site", async () => {
  const device = await start();
  const { apiKey } = await createTestKey(api.db, organizationId, ["admin"]);
  const body = { user_code: device.user_code, decision: "approve" };
  const byKey = await api.call("POST", "/v1/me/device", { key: apiKey, body });
  expect([byKey.status, byKey.json.code]).toEqual([403, "forbidden"]);
  const seen = await api.call("GET", `/v1/me/device?user_code=${device.user_code}`, { key: apiKey });
  expect(seen.status).toBe(403);
  const headers = { cookie, origin: "https://evil.example" };
  expect((await api.call("POST", "/v1/me/device", { key: null, body, headers })).status).toBe(403);
  expect((await poll(device)).status).toBe("authorization_pending");
});

test("codes cannot be tried one after the other", async () => {
  const tries = Array.from({ length: 21 }, () => by(cookie, "GET", "/v1/me/device?user_code=BBBB-BBBB"));
  const statuses = (await Promise.all(tries)).map(({ status }) => status);
  expect(statuses.sort()).toEqual([...Array.from({ length: 20 }, () => 404), 429]);
  // Another person's attempts count separately.
  const { memberId: other } = await createTestMember(api.db, organizationId);
  const { cookie: others } = await signInTestMember(api.db, organizationId, other);
  expect((await by(others, "GET", "/v1/me/device?user_code=BBBB-BBBB")).status).toBe(404);
});

test("the number of device requests per address and minute, and of waiting ones, is limited", async () => {
  const begin = (): Promise<TestReply> =>
    api.call("POST", "/v1/auth/device", { key: null, body: { device_name: "x" } });
  const statuses = (await Promise.all(Array.from({ length: 61 }, begin))).map(({ status }) => status);
  expect(statuses.filter((status) => status === 429)).toHaveLength(1);
  await api.db.pool.query("delete from sign_in_tries");
  await api.db.pool.query(`insert into device_requests
    (device_hash, user_hash, device_name, interval_seconds, expires_at)
    select decode(md5('d' || i), 'hex'), decode(md5('u' || i), 'hex'), 'x', 5, clock_timestamp() + interval '1 hour'
    from generate_series(1, 10000) i`);
  const full = await begin();
  expect([full.status, full.json.detail]).toEqual([429, expect.stringMatching(/^too many command-line sign-ins wait/)]);
  await api.db.pool.query("delete from device_requests");
  expect((await begin()).status).toBe(200);
});

test("one address can use at most its share of the waiting requests", async () => {
  await api.db.pool.query("delete from device_requests");
  const begin = async (): Promise<number> =>
    (await api.call("POST", "/v1/auth/device", { key: null, body: { device_name: "x" } })).status;
  expect(await begin()).toBe(200);
  await api.db.pool.query(`insert into device_requests
    (device_hash, user_hash, device_name, address, interval_seconds, expires_at)
    select decode(md5('d' || i), 'hex'), decode(md5('u' || i), 'hex'), 'x', address, 5, expires_at
    from device_requests, generate_series(1, 99) i`);
  expect(await begin()).toBe(429);
  await api.db.pool.query("update device_requests set address = '192.0.2.1' where device_name = 'x'");
  expect(await begin()).toBe(200);
});

test.each(["a\u202eb", "a\u2066b", "a\u200fb", "a\nb", "a\u0001b", "a\u009bb", "a\u2028b", "  ", "\t"])(
  "a device is not called %j",
  async (device_name) => {
    const reply = await api.call("POST", "/v1/auth/device", { key: null, body: { device_name } });
    const message = expect.stringContaining("without control characters") as unknown;
    expect([reply.status, reply.json["errors"]]).toEqual([422, [{ path: "device_name", message }]]);
  },
);

test.each(["Ann's laptop", "x", " Ännes Rechner ", "ラップトップ", "💻", "محمول"])(
  "a device is called %s",
  async (name) => {
    const { user_code: code } = await start(name);
    const seen = await by(cookie, "GET", `/v1/me/device?user_code=${code}`);
    expect(seen.json).toMatchObject({ device_name: name.trim() });
  },
);

test("at the limit of keys no key is created, and the approval waits for a free one", async () => {
  await api.db.pool.query("update organizations set max_api_keys = 1 where id = $1", [organizationId]);
  const device = await start();
  await decide(device, "approve");
  const body = { device_code: device.device_code };
  const full = await api.call("POST", "/v1/auth/device/token", { key: null, body });
  expect([full.status, full.json.code]).toEqual([429, "quota_exceeded"]);
  await api.db.pool.query("update organizations set max_api_keys = 2 where id = $1", [organizationId]);
  await letTimePass();
  expect((await poll(device)).status).toBe("approved");
});
