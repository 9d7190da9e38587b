// Organizations, keys, people and credentials.

import { createHash } from "node:crypto";
import { routes, validate } from "@dari/contract";
import { withinTransaction, dispatch, organizations, turnDetails, turns, withTransaction } from "@dari/db";
import { newId } from "@dari/domain";
import {
  createTestAgent,
  createTestMessage,
  createTestOrganization,
  createTestSession,
  waitUntil,
} from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";

let api: TestApi;
let own: string;
beforeAll(async () => {
  api = await startTestApi();
  own = `/v1/organizations/${api.org.organizationId}`;
});
afterAll(async () => api[Symbol.asyncDispose]());

test("what a command line asks first", async () => {
  const config = await api.call("GET", "/v1/auth/config", { key: null });
  expect([config.status, validate(routes.getAuthConfig.reply, config.json)]).toEqual([200, []]);
  const me = await api.call("POST", "/v1/me/bootstrap", { body: {} });
  expect(me.json).toEqual({
    organizations: [expect.objectContaining({ id: api.org.organizationId, role: "admin" })],
  });
  expect(validate(routes.bootstrap.reply, me.json)).toEqual([]);
  const list = await api.call("GET", "/v1/organizations");
  expect(validate(routes.listOrganizations.reply, list.json)).toEqual([]);
  expect(list.json["organizations"]).toEqual(me.json["organizations"]);
});

test("a new organization has a key that opens it and nothing else", async () => {
  const create = (body: unknown) => api.call("POST", "/v1/organizations", { key: api.operator.apiKey, body });
  const created = await create({ name: "Ünïted Widgets" });
  expect([created.status, created.json["slug"]]).toEqual([201, "united-widgets"]);
  expect(validate(routes.createOrganization.reply, created.json)).toEqual([]);
  const key = String(created.json["api_key"]);
  const there = await api.call("GET", `/v1/organizations/${String(created.json["id"])}/api-keys`, { key });
  expect(there.status).toBe(200);
  expect((await api.call("GET", `${own}/api-keys`, { key })).status).toBe(404);
  const twin = await create({ name: "United widgets" });
  expect(twin.json["slug"]).toMatch(/^united-widgets-[0-9a-z]{8}$/);
  const taken = await create({ name: "x", slug: "united-widgets" });
  expect([taken.status, taken.json.code]).toEqual([409, "conflict"]);
});

test("a key is shown once, stored as a hash, works, and is revoked", async () => {
  const created = await api.call("POST", `${own}/api-keys`, { body: { label: "ci", scopes: ["run"] } });
  expect([created.status, validate(routes.createApiKey.reply, created.json)]).toEqual([201, []]);
  const key = String(created.json["api_key"]);
  expect(key).toMatch(/^dari_[A-Za-z0-9_-]{43}$/);
  const { rows } = await api.db.pool.query("select * from api_keys where id = $1", [created.json["id"]]);
  expect(rows[0].secret_hash).toEqual(createHash("sha256").update(key).digest());

  expect((await api.call("GET", "/v1/sessions", { key })).status).toBe(200);
  const forbidden = await api.call("GET", `${own}/api-keys`, { key });
  expect([forbidden.status, forbidden.json.detail]).toEqual([
    403,
    "the API key does not have the scope 'admin', which this request requires (it has: run); use a key with that scope",
  ]);

  const list = await api.call("GET", "/v1/organizations/current/api-keys");
  expect(validate(routes.listApiKeys.reply, list.json)).toEqual([]);
  expect(list.text).not.toContain(key);
  expect(list.json["api_keys"]).toContainEqual(expect.objectContaining({ id: created.json["id"], label: "ci" }));

  const revoked = await api.call("DELETE", `${own}/api-keys/${String(created.json["id"])}`);
  expect(revoked.json).toEqual({ deleted: true, id: created.json["id"], active_schedules: [] });
  expect((await api.call("GET", "/v1/sessions", { key })).status).toBe(401);
  expect((await api.call("DELETE", `${own}/api-keys/${String(created.json["id"])}`)).status).toBe(404);
});

test("a key that is being created while its organization is deleted opens nothing", async () => {
  const { organizationId, apiKey } = await createTestOrganization(api.db);
  const creating = await withTransaction(api.db, async (tx) => {
    expect(await organizations.deleteOrganizationIfTenant(withinTransaction(api.db, tx), organizationId)).toBe(
      "deleted",
    );
    const call = api.call("POST", "/v1/organizations/current/api-keys", { key: apiKey, body: { label: "late" } });
    const waits = async (): Promise<boolean> => {
      const { rows } = await api.db.pool.query(`select 1 from pg_locks l join pg_stat_activity a on a.pid = l.pid
        where not l.granted and a.datname = current_database()`);
      return rows.length > 0;
    };
    await waitUntil(waits, { what: "the call to wait for the deletion" });
    return { call };
  });
  const key = (await creating.call).json["api_key"];
  expect((await api.call("GET", "/v1/me", { key: String(key) })).status).toBe(401);
});

test("a key expires, and its use is noted at most once a minute", async () => {
  const expires_at = new Date(Date.now() + 3_600_000).toISOString();
  const created = await api.call("POST", `${own}/api-keys`, { body: { label: "short", expires_at } });
  expect(created.json).toMatchObject({ expires_at, last_used_at: null, scopes: ["deploy", "run", "read"] });
  const key = String(created.json["api_key"]);
  const lastUse = async (): Promise<Date | null> => {
    const { rows } = await api.db.pool.query("select last_used_at from api_keys where id = $1", [created.json["id"]]);
    return rows[0].last_used_at;
  };
  await api.call("GET", "/v1/sessions", { key });
  const first = await waitUntil(async () => (await lastUse()) ?? undefined, { what: "the use to be noted" });
  await api.call("GET", "/v1/sessions", { key });
  expect(await lastUse()).toEqual(first);
  await api.db.pool.query("update api_keys set expires_at = clock_timestamp() where id = $1", [created.json["id"]]);
  expect((await api.call("GET", "/v1/sessions", { key })).status).toBe(401);
});

test("a device has one managed key; a new one replaces it", async () => {
  const ensure = async (device_name: string): Promise<string> => {
    const reply = await api.call("POST", `${own}/managed-cli-key/ensure`, { body: { device_name } });
    expect([reply.status, validate(routes.ensureManagedKey.reply, reply.json)]).toEqual([200, []]);
    return String(reply.json["api_key"]);
  };
  const [laptop, desktop] = [await ensure("laptop"), await ensure("desktop")];
  const next = await ensure("laptop");
  expect((await api.call("GET", `${own}/api-keys`, { key: laptop })).status).toBe(401);
  for (const key of [next, desktop]) expect((await api.call("GET", `${own}/api-keys`, { key })).status).toBe(200);
  const many = await Promise.all(Array.from({ length: 5 }, () => ensure("laptop")));
  const statuses = await Promise.all(many.map(async (key) => (await api.call("GET", "/v1/agents", { key })).status));
  expect(statuses.filter((status) => status === 200)).toHaveLength(1);
});

test("a credential is sealed, replaced, listed without its value, and deleted", async () => {
  const put = (value: string) => api.call("PUT", `${own}/credentials/OPENAI_API_KEY`, { body: { value } });
  const created = await put("sk-first-value");
  expect([created.status, created.json]).toEqual([
    201,
    { id: expect.any(String), name: "OPENAI_API_KEY", created: true, hosts: null },
  ]);
  const replaced = await put("sk-second-value");
  expect([replaced.status, replaced.json]).toEqual([
    200,
    { id: created.json["id"], name: "OPENAI_API_KEY", created: false, hosts: null },
  ]);

  const { rows } = await api.db.pool.query("select sealed from credentials where id = $1", [created.json["id"]]);
  const context = { organizationId: api.org.organizationId, name: "OPENAI_API_KEY" };
  expect(api.control.sealer.open(rows[0].sealed, context)).toBe("sk-second-value");
  expect(rows[0].sealed.includes("value")).toBe(false);

  const list = await api.call("GET", "/v1/organizations/current/credentials");
  expect(validate(routes.listCredentials.reply, list.json)).toEqual([]);
  expect(list.json["credentials"]).toEqual([expect.objectContaining({ name: "OPENAI_API_KEY" })]);
  expect(list.text).not.toContain("value");
  expect(
    (await api.call("GET", "/v1/organizations/current/credentials", { key: api.stranger.apiKey })).json["data"],
  ).toEqual([]);

  for (const name of ["lower", "1X", "A-B", "A%00"]) {
    expect([name, (await api.call("PUT", `${own}/credentials/${name}`, { body: { value: "x" } })).status]).toEqual([
      name,
      422,
    ]);
  }
  const large = await api.call("PUT", `${own}/credentials/BIG`, { body: { value: "x".repeat(65 * 1024) } });
  expect(large.status).toBe(422);
  expect(large.text).not.toContain("xxxx");
  expect((await api.call("DELETE", `${own}/credentials/OPENAI_API_KEY`)).json).toEqual({
    deleted: true,
    id: created.json["id"],
  });
  expect((await api.call("DELETE", `${own}/credentials/OPENAI_API_KEY`)).status).toBe(404);
  expect(JSON.stringify(api.log)).not.toMatch(/sk-(first|second)-value/);
});

test("a new value of a kept credential keeps the hosts, and must fit into a header", async () => {
  const path = `${own}/credentials/KEPT`;
  const put = (body: object) => api.call("PUT", path, { body });
  const hosts = ["api.example.com", "*.example.org:8443"];
  expect((await put({ value: "first-value", hosts: ["API.example.com", hosts[1]] })).json).toMatchObject({ hosts });
  expect((await put({ value: "second-value" })).json).toMatchObject({ created: false, hosts });
  const unfit = await put({ value: "two\nlines" });
  expect([unfit.status, unfit.json["errors"]]).toEqual([422, [expect.objectContaining({ path: "value" })]]);
  const list = await api.call("GET", `${own}/credentials`);
  expect(validate(routes.listCredentials.reply, list.json)).toEqual([]);
  expect(list.json.data).toEqual([expect.objectContaining({ name: "KEPT", hosts })]);
  for (const wrong of [[], ["https://api.example.com"], ["*"], ["10.0.0.5:8000"], "api.example.com"]) {
    expect([wrong, (await put({ value: "x", hosts: wrong })).status]).toEqual([wrong, 422]);
  }
  expect((await put({ value: "third-value", hosts: null })).json).toMatchObject({ hosts: null });
  await api.call("DELETE", path);
});

test("egress is set by the organization within the operators' setting, read with the claim, and reset", async () => {
  const path = "/v1/organizations/current/egress";
  const theirs = `/v1/organizations/${api.org.organizationId}/egress`;
  const asOperator = { key: api.operator.apiKey };
  expect((await api.call("GET", path)).json).toEqual({ organization: null, operator: null });
  const hosts = ["api.example.com", "*.example.org"];
  const put = await api.call("PUT", path, { body: { mode: "allow", hosts: ["API.example.com", hosts[1]] } });
  expect(validate(routes.putEgress.reply, put.json)).toEqual([]);
  const organization = { mode: "allow", hosts, updated_at: expect.any(String) };
  expect([put.status, put.json]).toEqual([200, { organization, operator: null }]);
  const bounded = await api.call("PUT", theirs, { ...asOperator, body: { mode: "off" } });
  const operator = { mode: "off", hosts: [], updated_at: expect.any(String) };
  expect([bounded.status, bounded.json]).toEqual([200, { organization, operator }]);

  for (const key of [api.stranger.apiKey, null]) {
    const status = key === null ? 401 : 404;
    for (const method of ["GET", "PUT", "DELETE"]) {
      const body = method === "PUT" ? { body: { mode: "open" } } : {};
      expect([method, (await api.call(method, theirs, { key, ...body })).status]).toEqual([method, status]);
    }
  }

  const { agentId } = await createTestAgent(api.db, api.org.organizationId);
  const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
  const body = { parts: [{ type: "text", text: "hello" }] };
  await api.call("POST", `/v1/sessions/${sessionId}/messages/async`, { body });
  const share = { organizationId: api.org.organizationId, count: 1 };
  const [dispatched] = await dispatch.dispatchIfReady(api.db, [share], 60_000);
  const claimant = { workerId: newId("worker"), leaseMs: 60_000, guarantees: {} };
  const claimed = await turns.claimIfDispatched(api.db, dispatched!, newId("attempt"), claimant);
  const egress = { organization: { mode: "allow", hosts }, operator: { mode: "off", hosts: [] } };
  expect(claimed).toMatchObject({ outcome: "claimed", turn: { details: { egress } } });

  // The organization cannot delete the operators' setting.
  expect((await api.call("DELETE", path)).json).toEqual({ organization: null, operator });
  expect((await api.call("DELETE", theirs, asOperator)).json).toEqual({ organization: null, operator: null });
  const log = (await api.call("GET", `${own}/audit-log`)).json["audit_entries"] as {
    action: string;
    details: object;
  }[];
  const changes = log.filter(({ action }) => action.startsWith("egress.")).map((one) => [one.action, one.details]);
  expect(changes).toEqual([
    ["egress.delete", { set_by: "operator" }],
    ["egress.delete", { set_by: "organization" }],
    ["egress.put", { set_by: "operator", mode: "off", hosts: [] }],
    ["egress.put", { set_by: "organization", mode: "allow", hosts }],
  ]);
});

test("whether answers may be recorded is the organization's choice, read with the claim, and audited", async () => {
  const path = "/v1/organizations/current/answer-recording";
  const theirs = `/v1/organizations/${api.org.organizationId}/answer-recording`;
  expect((await api.call("GET", path)).json).toEqual({ mode: "allowed" });
  const put = await api.call("PUT", theirs, { body: { mode: "never" } });
  expect([put.status, put.json]).toEqual([200, { mode: "never" }]);
  expect(validate(routes.putAnswerRecording.reply, put.json)).toEqual([]);
  expect((await api.call("GET", theirs)).json).toEqual({ mode: "never" });

  for (const [key, status] of [
    [api.stranger.apiKey, 404],
    [api.operator.apiKey, 404],
    [null, 401],
  ] as const) {
    expect((await api.call("GET", theirs, { key })).status).toBe(status);
    expect((await api.call("PUT", theirs, { key, body: { mode: "allowed" } })).status).toBe(status);
  }
  const { agentId } = await createTestAgent(api.db, api.org.organizationId);
  const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
  const messageId = await createTestMessage(api.db, api.org.organizationId, sessionId);
  const details = await turnDetails.getTurnDetails(api.db, messageId, { messages: 1, bytes: 1 });
  expect(details.answerRecording).toBe("never");
  await api.call("PUT", path, { body: { mode: "allowed" } });
  const log = (await api.call("GET", `${own}/audit-log`)).json["audit_entries"] as {
    action: string;
    details: object;
  }[];
  const changes = log.filter(({ action }) => action === "answer_recording.put").map((one) => one.details);
  expect(changes).toEqual([{ mode: "allowed" }, { mode: "never" }]);
});
