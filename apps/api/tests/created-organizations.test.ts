// The creator of an organization can use it: the key lists the organization and gets a key for it, until the
// organization revokes its first key.

import { routes, validate } from "@dari/contract";
import { createTestKey, waitUntil } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import { createPeople } from "./people.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
  Object.assign(api.control, { organizationCreation: "anyone" });
});
afterAll(async () => api[Symbol.asyncDispose]());

const body = { device_name: "laptop" };

async function create(key: string) {
  const { json, status } = await api.call("POST", "/v1/organizations", { key, body: { name: "Made" } });
  expect(status).toBe(201);
  return { id: String(json["id"]), firstKey: String(json["api_key"]) };
}

const ensure = (id: string, key: string) =>
  api.call("POST", `/v1/organizations/${id}/managed-cli-key/ensure`, { key, body });

async function list(key: string, query = ""): Promise<unknown[]> {
  const reply = await api.call("GET", `/v1/organizations${query}`, { key });
  expect([reply.status, validate(routes.listOrganizations.reply, reply.json)]).toEqual([200, []]);
  return (reply.json["organizations"] as { id: string }[]).map(({ id }) => id);
}

async function newKey(): Promise<string> {
  return (await createTestKey(api.db, api.org.organizationId, ["admin"])).apiKey;
}

test("the key that has created an organization lists it and gets a key for it", async () => {
  const key = await newKey();
  const own = api.org.organizationId;
  const [first, second] = [await create(key), await create(key)];
  expect(await list(key)).toEqual([own, second.id, first.id]);
  const me = await api.call("POST", "/v1/me/bootstrap", { key, body: {} });
  expect(me.json).toMatchObject({ organizations: [{ id: own }, { id: second.id, role: "admin" }, { id: first.id }] });

  const ensured = await ensure(first.id, key);
  expect([ensured.status, validate(routes.ensureManagedKey.reply, ensured.json)]).toEqual([200, []]);
  const managed = String(ensured.json["api_key"]);
  expect(await list(managed)).toEqual([first.id]);
  const log = await api.call("GET", "/v1/organizations/current/audit-log", { key: managed });
  expect(log.text).toContain("cli: laptop");
  // One key per device, there as well.
  expect((await ensure(first.id, key)).status).toBe(200);
  expect((await api.call("GET", "/v1/me", { key: managed })).status).toBe(401);
});

test("the first page of organizations begins with the key's own", async () => {
  const key = await newKey();
  const [first, second] = [await create(key), await create(key)];
  expect(await list(key, "?limit=1")).toEqual([api.org.organizationId]);
  expect(await list(key, `?limit=1&after=${api.org.organizationId}`)).toEqual([second.id]);
  expect(await list(key, `?after=${second.id}`)).toEqual([first.id]);
  expect(await list(key, `?after=${first.id}`)).toEqual([]);
  const foreign = await api.call("GET", `/v1/organizations?after=${api.stranger.organizationId}`, { key });
  expect([foreign.status, foreign.json.code]).toEqual([422, "invalid"]);
});

test("no other key is accepted, and that key only for these two calls", async () => {
  const key = await newKey();
  const { id, firstKey } = await create(key);
  for (const other of [await newKey(), api.org.apiKey, api.stranger.apiKey, api.operator.apiKey]) {
    const refused = await ensure(id, other);
    expect([refused.status, refused.json.detail]).toEqual([404, "organization not found"]);
    expect(await list(other)).not.toContain(id);
  }
  expect((await api.call("GET", `/v1/organizations/${id}/api-keys`, { key })).status).toBe(404);
  // The new organization gets no access to its creator's either.
  expect((await ensure(api.org.organizationId, firstKey)).status).toBe(404);
});

test("the creator loses access once the organization has revoked its first key", async () => {
  const key = await newKey();
  const { id, firstKey } = await create(key);
  const keys = await api.call("GET", "/v1/organizations/current/api-keys", { key: firstKey });
  const [{ id: firstKeyId }] = keys.json["api_keys"] as [{ id: string }];
  await api.call("DELETE", `/v1/organizations/current/api-keys/${firstKeyId}`, { key: firstKey });
  expect([(await ensure(id, key)).status, await list(key)]).toEqual([404, [api.org.organizationId]]);
});

const keys = {
  "a first key": "organization_id = $1",
  "the caller's key": "id = (select creator_key_id from api_keys where organization_id = $1 and creator_key_id <> '')",
};

test.each(Object.entries(keys))("%s that is revoked during the call ends its creator's access", async (_, which) => {
  const key = await newKey();
  const { id } = await create(key);
  const revoking = await api.db.pool.connect();
  try {
    await revoking.query("begin");
    await revoking.query(`update api_keys set revoked_at = clock_timestamp() where ${which}`, [id]);
    const ensuring = ensure(id, key);
    let isAnswered = false;
    const answered = ensuring.finally(() => (isAnswered = true));
    const locks = `select 1 from pg_locks l join pg_stat_activity a on a.pid = l.pid
      where not l.granted and a.datname = current_database()`;
    const isWaiting = async () => isAnswered || (await api.db.pool.query(locks)).rows.length > 0;
    await waitUntil(isWaiting, { what: "the call to meet the transaction that revokes the key" });
    await revoking.query("commit");
    expect([(await answered).status, (await ensuring).json.detail]).toEqual([404, "organization not found"]);
  } finally {
    revoking.release();
  }
  const made = "select 1 from api_keys where organization_id = $1 and revoked_at is null and label like 'cli:%'";
  expect((await api.db.pool.query(made, [id])).rows).toEqual([]);
});

test("a key that a person has got for a new organization ends with the person's membership", async () => {
  const people = await createPeople(api);
  await people.join("owner", "other@people.example");
  const { cookie, memberId } = await people.join("owner");
  const made = await people.by(cookie, "POST", "/v1/organizations", { name: "A person's" });
  const id = String(made.json["id"]);
  const ensured = await people.by(cookie, "POST", `/v1/organizations/${id}/managed-cli-key/ensure`, body);
  expect(ensured.status).toBe(200);
  const key = String(ensured.json["api_key"]);
  expect(await list(key)).toEqual([id]);
  expect((await people.call("DELETE", `${people.own}/members/${memberId}`)).status).toBe(200);
  expect((await api.call("GET", "/v1/me", { key })).status).toBe(401);
});

test("a management key is an ordinary key, and a routing key is refused with what to do", async () => {
  const make = (key_type: string, more = {}) =>
    api.call("POST", "/v1/organizations/current/api-keys", { body: { label: "ci", key_type, ...more } });
  const made = await make("management");
  expect([made.status, validate(routes.createApiKey.reply, made.json)]).toEqual([201, []]);
  expect(made.json).toMatchObject({ label: "ci", scopes: ["deploy", "run", "read"] });
  expect((await make("management", { scopes: ["admin"] })).json).toMatchObject({ scopes: ["admin"] });
  const routing = await make("routing");
  expect([routing.status, routing.json["errors"]]).toEqual([
    422,
    [{ path: "key_type", message: expect.stringContaining("dari credentials add OPENAI_API_KEY") }],
  ]);
  expect((await make("other")).status).toBe(422);
});
