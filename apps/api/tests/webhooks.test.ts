// Webhook endpoints over HTTP: secrets shown once, settings kept, deliveries listed and sent again, with audit entries.

import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createWebhookEndpoint, rotateWebhookSecret } from "@dari/control/outbound";
import { createSealer, resealSecrets } from "@dari/control/tenants";
import { limits, Redacted } from "@dari/domain";
import { createTestAgent, createTestWebhook } from "@dari/testkit";
import { startTestApi, type TestApi } from "./api-fixture.ts";

let api: TestApi;
beforeEach(async () => {
  api = await startTestApi();
});
afterEach(async () => api[Symbol.asyncDispose]());

const path = "/v1/organizations/current/webhook-endpoints";
const body = { url: "https://receiver.example/hooks" };
type Row = Record<string, unknown> & { id: string };

async function create(request: Record<string, unknown> = body): Promise<Row & { secret: string }> {
  const reply = await api.call("POST", path, { body: request });
  expect([reply.status, reply.text]).toEqual([201, expect.any(String)]);
  return reply.json as never;
}

test("the secret is shown once; a replay, a read and a list are without it", async () => {
  const options = { body, headers: { "idempotency-key": "one" } };
  const created = await api.call("POST", path, options);
  expect(created.json).toMatchObject({
    ...body,
    id: expect.stringMatching(/^whep_/),
    secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/),
    agent_id: null,
    event_types: ["message.completed", "message.failed", "message.cancelled"],
    status: "enabled",
    disabled_reason: null,
    failing_since: null,
    old_secret_expires_at: null,
  });
  const { secret: _secret, ...shown } = created.json;
  const replayed = await api.call("POST", path, options);
  expect([replayed.status, replayed.headers.get("idempotent-replayed")]).toEqual([201, "true"]);
  expect(replayed.json).toEqual(shown);
  const id = String(created.json["id"]);
  expect((await api.call("GET", `${path}/${id}`)).json).toEqual(shown);
  const listed = await api.call("GET", path);
  expect(listed.json).toEqual({ data: [shown], has_more: false, next: null, webhook_endpoints: [shown] });
  expect(JSON.stringify(api.log)).not.toContain(String(created.json["secret"]));
});

test("an agent's endpoint accepts either of the agent's ids; an endpoint of a deleted agent is refused", async () => {
  const { agentId } = await createTestAgent(api.db, api.org.organizationId);
  const made = await create({ ...body, agent_id: agentId.replace("agt_", "dep_"), event_types: ["agent.event"] });
  expect(made).toMatchObject({ agent_id: agentId, event_types: ["agent.event"] });
  expect((await api.call("DELETE", `/v1/agents/${agentId}`)).status).toBe(200);
  const late = await api.call("POST", path, { body: { ...body, agent_id: agentId } });
  expect([late.status, late.json["errors"]]).toEqual([422, [{ path: "agent_id", message: "agent not found" }]]);
});

test("fields that a change does not name stay; a deleted endpoint is not found", async () => {
  const { id, secret: _secret, ...made } = await create({ ...body, description: "ours" });
  const changed = await api.call("PATCH", `${path}/${id}`, { body: { status: "disabled", description: null } });
  expect(changed.json).toEqual({
    ...made,
    id,
    description: null,
    status: "disabled",
    disabled_reason: "manual",
    updated_at: expect.any(String),
  });
  const enabled = await api.call("PATCH", `${path}/${id}`, {
    body: { status: "enabled", event_types: ["user.message"] },
  });
  expect(enabled.json).toMatchObject({ disabled_reason: null, url: body.url, event_types: ["user.message"] });
  expect((await api.call("DELETE", `${path}/${id}`)).json).toEqual({ deleted: true, id });
  for (const method of ["GET", "DELETE"]) expect((await api.call(method, `${path}/${id}`)).status).toBe(404);
});

test("a rotation shows the new secret once and says until when the old one signs", async () => {
  const { id, secret } = await create();
  const options = { headers: { "idempotency-key": "r" } };
  const rotated = await api.call("POST", `${path}/${id}/rotate-secret`, options);
  expect(rotated.json).toMatchObject({ id, secret: expect.stringMatching(/^whsec_/) });
  expect(rotated.json["secret"]).not.toBe(secret);
  expect(Date.parse(String(rotated.json["old_secret_expires_at"]))).toBeGreaterThan(Date.now());
  const replayed = await api.call("POST", `${path}/${id}/rotate-secret`, options);
  expect([replayed.status, replayed.json["secret"]]).toEqual([200, undefined]);
  const rows = await api.db.pool.query("select number from webhook_secrets where endpoint_id = $1", [id]);
  expect(rows.rowCount).toBe(2);
});

test("deliveries are listed newest first, by state and in pages, and sent again", async () => {
  const { id } = await create();
  const ids: string[] = [];
  for (let n = 0; n < 3; n += 1) {
    const sent = await api.call("POST", `${path}/${id}/test`);
    expect([sent.status, sent.json["type"], sent.json["status"]]).toEqual([202, "webhook.test", "pending"]);
    ids.unshift(String(sent.json["id"]));
  }
  ids.sort().reverse();
  await api.db.pool.query(
    "update webhook_deliveries set state = 'failed', attempts = 10, due_at = null, ended_at = now() where id = $1",
    [ids[1]],
  );
  const idsOf = async (query: string): Promise<string[]> => {
    const reply = await api.call("GET", `${path}/${id}/deliveries${query}`);
    expect(reply.status).toBe(200);
    return (reply.json["webhook_deliveries"] as Row[]).map((row) => row.id);
  };
  expect(await idsOf("")).toEqual(ids);
  expect(await idsOf("?status=failed")).toEqual([ids[1]]);
  expect(await idsOf("?limit=1")).toEqual([ids[0]]);
  expect(await idsOf(`?after=${ids[1]}`)).toEqual([ids[2]]);
  for (const query of ["?status=lost", "?after=whdl_01jx5m0k8c3f7q2v9t4w6y8z1a"]) {
    expect((await api.call("GET", `${path}/${id}/deliveries${query}`)).status).toBe(422);
  }
  const again = await api.call("POST", `${path}/${id}/deliveries/${ids[1]}/resend`);
  expect([again.status, again.json]).toEqual([202, expect.objectContaining({ status: "pending", attempts: 0 })]);
  const other = await create();
  expect((await api.call("POST", `${path}/${other.id}/deliveries/${ids[1]}/resend`)).status).toBe(404);
});

test("the number of endpoints of an organization is limited, also for concurrent calls", async () => {
  const most = limits.webhookEndpointsPerOrganization;
  const calls = Array.from({ length: most + 5 }, () => api.call("POST", path, { body }));
  const statuses = (await Promise.all(calls)).map((reply) => reply.status);
  expect(statuses.filter((status) => status === 201)).toHaveLength(most);
  expect(statuses.filter((status) => status === 409)).toHaveLength(5);
});

test("every change is in the audit log, without URLs and secrets", async () => {
  const { id, secret } = await create({ url: "https://receiver.example/hooks/its-own-secret" });
  await api.call("PATCH", `${path}/${id}`, { body: { url: "https://other.example/its-own-secret" } });
  await api.call("POST", `${path}/${id}/rotate-secret`);
  const sent = await api.call("POST", `${path}/${id}/test`);
  await api.call("POST", `${path}/${id}/deliveries/${String(sent.json["id"])}/resend`);
  await api.call("DELETE", `${path}/${id}`);
  const log = await api.call("GET", "/v1/organizations/current/audit-log");
  const entries = log.json["audit_entries"] as Row[];
  expect(entries.map((entry) => [entry["action"], entry["target"]]).reverse()).toEqual(
    ["create", "update", "rotate_secret", "test", "resend", "delete"].map((verb) => [`webhook.${verb}`, id]),
  );
  for (const hidden of ["its-own-secret", secret]) expect(log.text).not.toContain(hidden);
});

test("secrets of webhooks are resealed with the others", async () => {
  const [oldKey, newKey] = [new Redacted(randomBytes(32)), new Redacted(randomBytes(32))];
  const { organizationId, keyId } = api.org;
  const actor = { organizationId, keyId, scopes: ["admin"] };
  const made = await createWebhookEndpoint({ ...api.control, sealer: createSealer(oldKey) }, actor, body);
  await rotateWebhookSecret({ ...api.control, sealer: createSealer(oldKey) }, actor, made.id);
  const { endpointId: unreadable } = await createTestWebhook(api.db, organizationId);
  const sealer = createSealer(newKey, [oldKey]);
  const first = await resealSecrets({ ...api.control, sealer }, actor, { limit: 1 });
  expect(first).toMatchObject({ resealed: 1, next: `${made.id}/1 webhook:${made.id}` });
  const rest = await resealSecrets({ ...api.control, sealer }, actor, { after: first.next! });
  expect(rest).toMatchObject({ resealed: 1, next: null, unopened: [{ name: `webhook:${unreadable}` }] });
  const { rows } = await api.db.pool.query<{ sealed: Buffer }>(
    "select sealed from webhook_secrets where endpoint_id = $1 order by number",
    [made.id],
  );
  const opened = rows.map((row) =>
    createSealer(newKey).open(row.sealed, { organizationId, name: `webhook:${made.id}` }),
  );
  expect(opened).toEqual([made.secret, expect.stringMatching(/^whsec_/)]);
});
