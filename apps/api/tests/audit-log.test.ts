// The audit log: written with each change, without secrets, readable only by its organization and by operators.

import { routes, validate, type AuditEntry } from "@dari/contract";
import {
  createTestAgent,
  createTestKey,
  createTestMessage,
  createTestSession,
  createTestSourceSnapshot,
  createTestVersion,
} from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { createFailedMessage } from "./failed-message.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => api[Symbol.asyncDispose]());

const own = "/v1/organizations/current";

async function newest(count: number, key = api.org.apiKey): Promise<AuditEntry[]> {
  const reply = await api.call("GET", `${own}/audit-log?limit=${count}`, { key });
  expect([reply.status, validate(routes.listAuditLog.reply, reply.json)]).toEqual([200, []]);
  return reply.json["audit_entries"] as AuditEntry[];
}

/** Makes one change and returns its entry. */
async function recorded(
  method: string,
  path: string,
  body?: unknown,
): Promise<{ entry: AuditEntry; reply: TestReply }> {
  const before = (await newest(500)).length;
  const reply = await api.call(method, path, { body });
  expect([path, reply.status < 300]).toEqual([path, true]);
  const after = await newest(500);
  expect([path, after.length]).toEqual([path, before + 1]);
  const [entry] = after;
  if (entry === undefined) throw new Error("nothing was recorded");
  expect(entry).toMatchObject({ actor_key_id: api.org.keyId, request_id: reply.headers.get("x-request-id") });
  return { entry, reply };
}

test("keys and credentials, without their secrets", async () => {
  const key = await recorded("POST", `${own}/api-keys`, { label: "ci", scopes: ["run"] });
  const keyId = String(key.reply.json["id"]);
  expect(key.entry).toMatchObject({
    action: "api_key.create",
    target: keyId,
    details: { label: "ci", scopes: ["run"] },
  });
  const managed = await recorded("POST", `${own}/managed-cli-key/ensure`, { device_name: "laptop" });
  expect(managed.entry).toMatchObject({ action: "api_key.create", details: { label: "cli: laptop" } });
  expect((await recorded("DELETE", `${own}/api-keys/${keyId}`)).entry).toMatchObject({
    action: "api_key.revoke",
    target: keyId,
  });
  const value = "sk-very-secret-value";
  const put = await recorded("PUT", `${own}/credentials/TOKEN`, { value });
  expect(put.entry).toMatchObject({ action: "credential.put", details: { name: "TOKEN", created: true } });
  expect((await recorded("DELETE", `${own}/credentials/TOKEN`)).entry).toMatchObject({
    action: "credential.delete",
    target: put.reply.json["id"],
  });
  const { rows } = await api.db.pool.query("select row_to_json(a)::text as text from audit_entries a");
  const all = rows.map((row: { text: string }) => row.text).join("\n");
  for (const secret of [value, key.reply.json["api_key"], managed.reply.json["api_key"]]) {
    expect(all).not.toContain(String(secret));
  }
});

test("invitations, once for each that changes something", async () => {
  const body = { email: "Ada@b.example", role: "member" };
  const invited = await recorded("POST", `${own}/invitations`, body);
  expect(invited.entry).toMatchObject({
    action: "invitation.create",
    target: invited.reply.json["id"],
    details: { email: "ada@b.example", role: "member" },
  });
  const again = await recorded("POST", `${own}/invitations`, { ...body, role: "admin" });
  expect(again.entry).toMatchObject({ target: invited.reply.json["id"], details: { role: "admin" } });
});

test("agents and versions", async () => {
  const { organizationId } = api.org;
  const { agentId } = await createTestAgent(api.db, organizationId);
  const { versionId } = await createTestVersion(api.db, organizationId, agentId);
  const activated = await recorded("POST", `/v1/agents/${agentId}/activate`, { version_id: versionId });
  expect(activated.entry).toMatchObject({
    action: "version.activate",
    target: versionId,
    details: { agent_id: agentId },
  });
  const body = { source_snapshot_id: await createTestSourceSnapshot(api.db, organizationId) };
  const published = await recorded("POST", `/v1/agents/${agentId}/versions`, body);
  expect(published.entry).toMatchObject({ action: "version.publish", target: published.reply.json["version_id"] });
  const created = await recorded("POST", "/v1/agents", body);
  expect(created.entry).toMatchObject({ action: "agent.create", target: created.reply.json["id"] });
  expect((await recorded("PATCH", `/v1/agents/${agentId}`, { name: "renamed" })).entry).toMatchObject({
    action: "agent.update",
    target: agentId,
    details: { before: expect.stringMatching(/^test-agent/), name: "renamed" },
  });
  expect((await recorded("DELETE", `/v1/agents/${agentId}`)).entry).toMatchObject({
    action: "agent.delete",
    target: agentId,
  });
});

test("messages that are cancelled and retried", async () => {
  const { organizationId } = api.org;
  const { agentId } = await createTestAgent(api.db, organizationId);
  const sessionId = await createTestSession(api.db, organizationId, agentId);
  const messageId = await createTestMessage(api.db, organizationId, sessionId);
  expect((await recorded("POST", `/v1/messages/${messageId}/cancel`)).entry).toMatchObject({
    action: "message.cancel",
    target: messageId,
  });
  const failed = await createFailedMessage(api, api.org);
  const retried = await recorded("POST", `/v1/messages/${failed.messageId}/retry`, {});
  expect(retried.entry).toMatchObject({
    action: "message.retry",
    target: failed.messageId,
    details: { retry_message_id: retried.reply.json["id"] },
  });
  await api.call("POST", `/v1/messages/${String(retried.reply.json["id"])}/cancel`);
});

test("sessions that are deleted, with how many of their messages that cancelled", async () => {
  const { organizationId } = api.org;
  const { agentId } = await createTestAgent(api.db, organizationId);
  const sessionId = await createTestSession(api.db, organizationId, agentId);
  for (let n = 0; n < 2; n++) await createTestMessage(api.db, organizationId, sessionId);
  const before = await newest(500);
  expect((await api.call("DELETE", `/v1/sessions/${sessionId}`)).status).toBe(409);
  expect(await newest(500)).toEqual(before);
  expect((await recorded("DELETE", `/v1/sessions/${sessionId}?cancel=1`)).entry).toMatchObject({
    action: "session.delete",
    target: sessionId,
    details: { cancelled: 2 },
  });
  expect((await api.call("DELETE", `/v1/sessions/${sessionId}`)).status).toBe(404);
  expect(await newest(500)).toHaveLength(before.length + 1);
});

test("a call that changed nothing, or was rolled back, is not recorded", async () => {
  const failed = await createFailedMessage(api, api.org);
  const before = await newest(500);
  await api.call("POST", `/v1/messages/${failed.messageId}/cancel`);
  await api.call("DELETE", `${own}/credentials/NONE`);
  await api.call("POST", `${own}/api-keys`, { body: { label: "x", expires_at: "2001-01-01T00:00:00Z" } });
  await api.call("POST", "/v1/organizations", { body: { name: "Mine" } });
  expect(await newest(500)).toEqual(before);
});

test("an operator's change is in the log of the organization that it concerns", async () => {
  const path = `/v1/organizations/${api.org.organizationId}`;
  await api.call("PATCH", path, { key: api.operator.apiKey, body: { weight: 4 } });
  expect(await newest(1)).toMatchObject([
    {
      action: "organization.update",
      actor_key_id: api.operator.keyId,
      target: api.org.organizationId,
      details: { before: { weight: 1 }, after: { weight: 4 } },
    },
  ]);
  await api.call("POST", "/v1/organizations", { key: api.operator.apiKey, body: { name: "Tenant" } });
  expect(await newest(1, api.operator.apiKey)).toMatchObject([{ action: "organization.create" }]);
});

test("pages go from the newest to the oldest, without gap or repeat", async () => {
  const all = (await newest(500)).map((entry) => entry.id);
  const seen: string[] = [];
  for (let after = ""; ;) {
    const page = await api.call("GET", `${own}/audit-log?limit=3${after === "" ? "" : `&after=${after}`}`);
    seen.push(...(page.json["audit_entries"] as AuditEntry[]).map((entry) => entry.id));
    if (page.json["has_more"] !== true) break;
    after = String(page.json["next"]);
  }
  expect(seen).toEqual(all);
  expect(new Set(seen).size).toBe(all.length);
  const foreign = await api.call("GET", `${own}/audit-log?after=${all[0]}`, { key: api.stranger.apiKey });
  expect([foreign.status, foreign.json["errors"]]).toMatchObject([422, [{ path: "after" }]]);
});

test("is read by the organization's admins and by operators only", async () => {
  const path = `/v1/organizations/${api.org.organizationId}/audit-log`;
  expect((await api.call("GET", path, { key: api.operator.apiKey })).status).toBe(200);
  expect((await api.call("GET", path, { key: api.stranger.apiKey })).status).toBe(404);
  const run = await createTestKey(api.db, api.org.organizationId, ["run"]);
  expect((await api.call("GET", path, { key: run.apiKey })).status).toBe(403);
});

test("the application can neither change nor delete what is recorded", async () => {
  for (const statement of [
    "update audit_entries set target = 'x'",
    "delete from audit_entries",
    "truncate audit_entries",
  ]) {
    await expect(api.db.pool.query(statement)).rejects.toThrow(/permission denied/);
  }
  await expect(api.db.pool.query("delete from organizations where id = $1", [api.org.organizationId])).rejects.toThrow(
    /audit_entries/,
  );
});
