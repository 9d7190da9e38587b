// Schedules over HTTP: created, changed, paused, listed, deleted, with audit entries.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { fireSchedules } from "@dari/control/automation";
import { limits } from "@dari/domain";
import { createTestAgent, createTestKey, createTestSession } from "@dari/testkit";
import { startTestApi, type TestApi } from "./api-fixture.ts";

let api: TestApi;
let agentId: string;
beforeEach(async () => {
  api = await startTestApi();
  ({ agentId } = await createTestAgent(api.db, api.org.organizationId));
});
afterEach(async () => api[Symbol.asyncDispose]());

const path = "/v1/schedules";
const parts = [{ type: "text", text: "good morning" }];
type Row = Record<string, unknown> & { id: string };

async function create(request: Record<string, unknown> = {}): Promise<Row> {
  const target = request["session_id"] === undefined ? { agent_id: agentId } : {};
  const body = { ...target, cron: "0 0 1 1 *", parts, ...request };
  const reply = await api.call("POST", path, { body });
  expect([reply.status, reply.text]).toEqual([201, expect.any(String)]);
  return reply.json as never;
}

async function rowsOf(query: string, noun = "schedules", base = path): Promise<Row[]> {
  const reply = await api.call("GET", `${base}${query}`);
  expect([reply.status, reply.text]).toEqual([200, expect.any(String)]);
  expect(reply.json["data"]).toEqual(reply.json[noun]);
  return reply.json[noun] as Row[];
}

test("the call that revokes a key returns the schedules of the key that continue", async () => {
  const { keyId, apiKey: key } = await createTestKey(api.db, api.org.organizationId, ["run"]);
  const body = { agent_id: agentId, cron: "0 0 1 1 *", parts };
  const made = (await api.call("POST", path, { key, body })).json["id"] as string;
  await api.call("POST", path, { key, body: { ...body, status: "paused" } });
  const taken = (await api.call("POST", path, { key, body })).json["id"] as string;
  const changed = (await create()).id;
  await api.call("PATCH", `${path}/${taken}`, { body: { name: "ours" } });
  await api.call("PATCH", `${path}/${changed}`, { key, body: { name: "theirs" } });
  const { status, json } = await api.call("DELETE", `/v1/organizations/current/api-keys/${keyId}`);
  const active = [made, changed].toSorted();
  expect([status, json]).toEqual([200, { deleted: true, id: keyId, active_schedules: active }]);
  const [entry] = await rowsOf("?limit=1", "audit_entries", "/v1/organizations/current/audit-log");
  expect(entry).toMatchObject({ action: "api_key.revoke", target: keyId, details: { active_schedules: active } });
  expect(await rowsOf("?status=active")).toHaveLength(3);
});

test("repeated calls with one key create one schedule, with its first due time", async () => {
  const body = {
    agent_id: agentId.replace("agt_", "dep_"),
    cron: " 30  9 * * MON-FRI ",
    time_zone: "Europe/Berlin",
    parts,
  };
  const options = { body, headers: { "idempotency-key": "one" } };
  const created = await api.call("POST", path, options);
  expect([created.status, created.json]).toEqual([
    201,
    {
      id: expect.stringMatching(/^sched_/),
      name: null,
      agent_id: agentId,
      session_id: null,
      cron: "30 9 * * MON-FRI",
      time_zone: "Europe/Berlin",
      parts,
      metadata: {},
      overlap: "skip",
      lane: "background",
      status: "active",
      paused_reason: null,
      next_due_at: expect.stringMatching(/T0[78]:30:00\.000Z$/),
      last_fired_at: null,
      changed_by_key_id: expect.stringMatching(/^key_/),
      created_at: expect.any(String),
      updated_at: expect.any(String),
    },
  ]);
  const replayed = await api.call("POST", path, options);
  expect([replayed.status, replayed.headers.get("idempotent-replayed")]).toEqual([201, "true"]);
  expect(replayed.json).toEqual(created.json);
  expect(await rowsOf("")).toHaveLength(1);
});

test("listed newest first, by agent and by status, in pages", async () => {
  const { agentId: other } = await createTestAgent(api.db, api.org.organizationId);
  const first = await create({ agent_id: other, status: "paused" });
  const second = await create({ name: " two " });
  const ids = [first, second].map((row) => row.id).sort();
  expect((await rowsOf("")).map((row) => row.id)).toEqual(ids.toReversed());
  expect(await rowsOf(`?agent_id=${other}`)).toEqual([first]);
  expect(await rowsOf("?status=active")).toMatchObject([{ id: second.id, name: "two" }]);
  expect((await rowsOf(`?limit=1&after=${ids[1]}`)).map((row) => row.id)).toEqual([ids[0]]);
  for (const query of ["?status=stopped", "?after=sched_01jx5m0k8c3f7q2v9t4w6y8z1a", "?agent_id=sess_1"]) {
    expect((await api.call("GET", path + query)).status).toBe(422);
  }
});

test("a change keeps other fields; new times count from now; a paused schedule has no due time", async () => {
  const made = await create({ metadata: { a: 1 } });
  const renamed = await api.call("PATCH", `${path}/${made.id}`, { body: { name: "yearly", overlap: "replace" } });
  expect(renamed.json).toEqual({ ...made, name: "yearly", overlap: "replace", updated_at: expect.any(String) });
  const hourly = await api.call("PATCH", `${path}/${made.id}`, {
    body: { cron: "0 * * * *", time_zone: "Asia/Kolkata" },
  });
  expect(hourly.json["next_due_at"]).toMatch(/:30:00\.000Z$/);
  const paused = await api.call("PATCH", `${path}/${made.id}`, { body: { status: "paused" } });
  expect(paused.json).toMatchObject({ status: "paused", paused_reason: "manual", next_due_at: null });
  const resumed = await api.call("PATCH", `${path}/${made.id}`, { body: { status: "active" } });
  expect(resumed.json).toMatchObject({ status: "active", paused_reason: null, metadata: { a: 1 } });
  expect((await api.call("DELETE", `${path}/${made.id}`)).json).toEqual({ deleted: true, id: made.id });
  for (const method of ["GET", "DELETE"]) expect((await api.call(method, `${path}/${made.id}`)).status).toBe(404);
});

test("one session gets every message; an ended session is refused, also at a resume", async () => {
  const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
  const made = await create({ session_id: sessionId });
  expect(made).toMatchObject({ session_id: sessionId, agent_id: agentId });
  await api.call("PATCH", `${path}/${made.id}`, { body: { status: "paused" } });
  expect((await api.call("POST", `/v1/sessions/${sessionId}/complete`)).status).toBe(200);
  const body = { session_id: sessionId, cron: "0 0 1 1 *", parts };
  expect((await api.call("POST", path, { body })).json).toMatchObject({ code: "conflict" });
  const resumed = await api.call("PATCH", `${path}/${made.id}`, { body: { status: "active" } });
  expect([resumed.status, resumed.json.code]).toEqual([409, "conflict"]);
});

test("another organization's agent, session and file are answered like unknown ones", async () => {
  const { organizationId } = api.stranger;
  const theirs = await createTestAgent(api.db, organizationId);
  const theirSession = await createTestSession(api.db, organizationId, theirs.agentId);
  for (const [target, field] of [
    [{ agent_id: theirs.agentId }, "agent_id"],
    [{ session_id: theirSession }, "session_id"],
  ] as const) {
    const reply = await api.call("POST", path, { body: { ...target, cron: "0 0 1 1 *", parts } });
    expect([reply.status, reply.json["errors"]]).toEqual([
      422,
      [{ path: field, message: expect.stringMatching(/not found$/) }],
    ]);
  }
  const made = await create();
  for (const [method, rest] of [
    ["GET", ""],
    ["PATCH", ""],
    ["DELETE", ""],
    ["GET", "/firings"],
  ] as const) {
    const reply = await api.call(method, `${path}/${made.id}${rest}`, {
      key: api.stranger.apiKey,
      body: method === "PATCH" ? { status: "paused" } : undefined,
    });
    expect(reply.status).toBe(404);
  }
});

test("results of due times are listed newest first, by outcome and in pages", async () => {
  const { id } = await create();
  await api.db.pool.query("update schedules set next_due_at = now() - interval '5 hours' where id = $1", [id]);
  await fireSchedules(api.control);
  const firings = `${path}/${id}/firings`;
  const [missed, ...rest] = (await rowsOf("", "firings", firings)) as [Row];
  expect(rest).toEqual([]);
  expect(missed).toEqual({
    id: expect.stringMatching(/^fire_/),
    schedule_id: id,
    due_at: expect.any(String),
    created_at: expect.any(String),
    outcome: "missed",
    session_id: null,
    message_id: null,
    message_status: null,
    reason: { code: "late", message: expect.stringContaining("missed messages are not sent later") },
    missed_count: 1,
  });
  expect(await rowsOf("?outcome=missed", "firings", firings)).toEqual([missed]);
  expect(await rowsOf("?outcome=failed", "firings", firings)).toEqual([]);
  expect(await rowsOf(`?after=${missed.id}`, "firings", firings)).toEqual([]);
  for (const query of ["?outcome=lost", "?after=fire_01jx5m0k8c3f7q2v9t4w6y8z1a"]) {
    expect((await api.call("GET", firings + query)).status).toBe(422);
  }
});

test("the number of schedules of an organization is limited, also for concurrent calls", async () => {
  const most = limits.schedulesPerOrganization;
  await api.db.pool.query(
    `insert into schedules (id, organization_id, agent_id, cron, time_zone, parts, status, paused_reason)
      select 'sched_' || n, $1, $2, '0 0 1 1 *', 'UTC', '[]', 'paused', 'manual' from generate_series(1, $3::int) n`,
    [api.org.organizationId, agentId, most - 3],
  );
  const body = { agent_id: agentId, cron: "0 0 1 1 *", parts };
  const calls = Array.from({ length: 8 }, () => api.call("POST", path, { body }));
  const statuses = (await Promise.all(calls)).map((reply) => reply.status);
  expect(statuses.toSorted()).toEqual([201, 201, 201, 409, 409, 409, 409, 409]);
});

test("every change is in the audit log, without the message", async () => {
  const { id } = await create({ parts: [{ type: "text", text: "between us" }] });
  await api.call("PATCH", `${path}/${id}`, { body: { status: "paused" } });
  await api.call("DELETE", `${path}/${id}`);
  const log = await api.call("GET", "/v1/organizations/current/audit-log");
  const entries = log.json["audit_entries"] as Row[];
  expect(entries.map((entry) => [entry["action"], entry["target"], entry["details"]]).reverse()).toEqual([
    ["schedule.create", id, { agent_id: agentId, session_id: null, cron: "0 0 1 1 *", time_zone: "UTC" }],
    ["schedule.update", id, { changed: ["status"], status: "paused" }],
    ["schedule.delete", id, {}],
  ]);
  expect(log.text).not.toContain("between us");
});
