// Operators: limits of every organization, who creates organizations, the health of the installation.

import { dariRelease, routes, validate, type HealthCheck } from "@dari/contract";
import { setUpOrganization } from "@dari/control/tenants";
import { turns, workers } from "@dari/db";
import { newId, type WorkerReport } from "@dari/domain";
import {
  createTestAgent,
  createTestKey,
  createTestMessage,
  createTestOrganization,
  createTestSession,
  testWorker,
} from "@dari/testkit";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => api[Symbol.asyncDispose]());

const pathOf = (organizationId: string): string => `/v1/organizations/${organizationId}`;

function setLimits(organizationId: string, body: unknown, key = api.operator.apiKey): Promise<TestReply> {
  return api.call("PATCH", pathOf(organizationId), { key, body });
}

describe("limits", () => {
  test("an operator sets them for any organization; what is absent stays, null is the default again", async () => {
    const { organizationId } = api.org;
    const stored = { max_workspace_bytes: 9, max_workspace_files: 8, max_workspace_file_bytes: 7 };
    expect((await setLimits(organizationId, { ...stored, session_retention_days: 6 })).json).toMatchObject(stored);
    const set = await setLimits(organizationId, { weight: 3, max_concurrency: 5, max_backlog: 7 });
    expect(set.json).toMatchObject({ ...stored, session_retention_days: 6 });
    expect([set.status, validate(routes.updateOrganization.reply, set.json)]).toEqual([200, []]);
    expect(set.json).toMatchObject({ id: organizationId, weight: 3, max_concurrency: 5, max_backlog: 7 });
    expect((await setLimits(organizationId, { max_concurrency: null })).json).toMatchObject({
      weight: 3,
      max_concurrency: null,
      max_backlog: 7,
    });
    const shown = await api.call("GET", pathOf("current"));
    expect([shown.status, validate(routes.getOrganization.reply, shown.json)]).toEqual([200, []]);
    expect(shown.json).toMatchObject({ id: organizationId, is_operator: false, weight: 3, max_backlog: 7 });
    expect((await api.call("GET", pathOf(organizationId), { key: api.operator.apiKey })).json).toMatchObject({
      id: organizationId,
      weight: 3,
    });
  });

  test("no one else sets them, least of all the organization itself", async () => {
    const run = await createTestKey(api.db, api.operator.organizationId, ["run", "deploy"]);
    for (const key of [api.org.apiKey, api.stranger.apiKey, run.apiKey]) {
      const reply = await setLimits(api.org.organizationId, { weight: 1_000 }, key);
      expect([reply.status, reply.json.code]).toEqual([403, "forbidden"]);
    }
    // An operator's key without the admin scope reaches no other organization.
    expect((await api.call("GET", pathOf(api.org.organizationId), { key: run.apiKey })).status).toBe(404);
  });

  test("an organization that does not exist is not found", async () => {
    expect((await setLimits(newId("organization"), { weight: 2 })).status).toBe(404);
    expect((await api.call("GET", pathOf(newId("organization")), { key: api.operator.apiKey })).status).toBe(404);
  });

  test("a backlog that is set is kept to", async () => {
    const { organizationId, apiKey } = api.stranger;
    await setLimits(organizationId, { max_backlog: 1 });
    const { agentId } = await createTestAgent(api.db, organizationId);
    const sessionId = await createTestSession(api.db, organizationId, agentId);
    const send = () =>
      api.call("POST", `/v1/sessions/${sessionId}/messages/async`, {
        key: apiKey,
        body: { parts: [{ type: "text", text: "hello" }] },
      });
    expect([(await send()).status, (await send()).status]).toEqual([202, 429]);
  });
});

describe("deleting organizations", () => {
  test("is for operators; keys end immediately and the record stays", async () => {
    const { organizationId, apiKey } = await createTestOrganization(api.db);
    const remove = (key: string) => api.call("DELETE", pathOf(organizationId), { key });
    expect([(await remove(apiKey)).status, (await remove(api.stranger.apiKey)).status]).toEqual([403, 403]);
    expect((await api.call("GET", "/v1/agents", { key: apiKey })).status).toBe(200);
    expect((await remove(api.operator.apiKey)).json).toEqual({ deleted: true, id: organizationId });
    expect((await api.call("GET", "/v1/agents", { key: apiKey })).status).toBe(401);
    expect((await remove(api.operator.apiKey)).status).toBe(404);
    const own = await api.call("DELETE", pathOf(api.operator.organizationId), { key: api.operator.apiKey });
    expect([own.status, own.json.code]).toEqual([409, "conflict"]);
    const { rows } = await api.db.pool.query("select action from audit_entries where organization_id = $1", [
      organizationId,
    ]);
    expect(rows).toEqual([{ action: "organization.delete" }]);
  });
});

describe("the store", () => {
  test("is checked in steps; what rows name and the store has not is listed", async () => {
    const { organizationId } = api.org;
    await createTestAgent(api.db, organizationId);
    const found: unknown[] = [];
    for (let after = ""; ;) {
      const query = `limit=1&deep=1${after === "" ? "" : `&after=${encodeURIComponent(after)}`}`;
      const step = await api.call("GET", `/v1/operator/store-check?${query}`, { key: api.operator.apiKey });
      expect([step.status, validate(routes.checkStore.reply, step.json)]).toEqual([200, []]);
      found.push(...(step.json["problems"] as unknown[]));
      if (step.json["next"] === null) break;
      after = String(step.json["next"]);
    }
    expect(found).toContainEqual(expect.objectContaining({ key: "images/none", problem: "missing", what: "image" }));
    const refused = await api.call("GET", "/v1/operator/store-check", { key: api.org.apiKey });
    expect([refused.status, refused.json.code]).toEqual([403, "forbidden"]);
    const odd = await api.call("GET", "/v1/operator/store-check?limit=0", { key: api.operator.apiKey });
    expect(odd.status).toBe(422);
  });
});

describe("creating organizations", () => {
  test("is for operators, unless the setting allows anyone", async () => {
    const create = () => api.call("POST", "/v1/organizations", { body: { name: "Mine" } });
    expect((await create()).json).toMatchObject({ code: "forbidden" });
    Object.assign(api.control, { organizationCreation: "anyone" });
    try {
      const created = await create();
      expect([created.status, created.json["is_operator"]]).toEqual([201, false]);
    } finally {
      Object.assign(api.control, { organizationCreation: "operators" });
    }
  });

  test("the setup makes the first one an operator's, and others on request", async () => {
    await using fresh = await startTestApi();
    await fresh.db.pool.query("update organizations set is_operator = false");
    const made = [
      await setUpOrganization(fresh.control, { name: "First" }),
      await setUpOrganization(fresh.control, { name: "Second" }),
      await setUpOrganization(fresh.control, { name: "Third", operator: true }),
    ];
    expect(made.map((one) => one.is_operator)).toEqual([true, false, true]);
    const key = made[0]?.api_key ?? "";
    expect((await fresh.call("POST", "/v1/organizations", { key, body: { name: "Tenant" } })).status).toBe(201);
  });
});

describe("health", () => {
  async function examine(): Promise<{ reply: TestReply; checks: Record<string, HealthCheck> }> {
    const reply = await api.call("GET", "/v1/operator/health", { key: api.operator.apiKey });
    expect([reply.status, validate(routes.getOperatorHealth.reply, reply.json)]).toEqual([200, []]);
    const checks = reply.json["checks"] as HealthCheck[];
    return { reply, checks: Object.fromEntries(checks.map((check) => [check.name, check])) };
  }

  test("names what is missing, with what to do", async () => {
    const { reply, checks } = await examine();
    expect(reply.json).toMatchObject({ ok: false, release: dariRelease, workers: [], violations: [] });
    expect(checks).toMatchObject({
      schema: { ok: true },
      workers: { ok: false, what_to_do: expect.stringContaining("start a worker") },
      dispatcher: { ok: false, what_to_do: expect.stringContaining("start a reconciler") },
      queue: { ok: true, found: expect.stringContaining("none is configured") },
      objects: { ok: true },
      invariants: { ok: true, what_to_do: null },
    });
  });

  test("is healthy when a worker offers slots and a reconciler leads", async () => {
    const worker = testWorker();
    await workers.upsertWorkerSeen(api.db, worker);
    await workers.leadIfFree(api.db, "dispatcher", "here", 1_000);
    const { reply } = await examine();
    expect(reply.json).toMatchObject({ ok: true, workers: [{ id: worker.id, slots: 4, pool: "default" }] });
    await workers.deleteWorker(api.db, worker.id);
  });

  test("names a worker that does not isolate, has too little memory or another time; and the services", async () => {
    const worker = testWorker();
    await workers.upsertWorkerSeen(api.db, worker);
    expect((await examine()).checks).toMatchObject({
      isolation: { ok: true, found: expect.stringMatching(/^agents run in bwrap /) },
      disks: { ok: true, found: expect.stringContaining("5.0 GB") },
      clocks: { ok: true },
      services: { ok: true, found: expect.stringMatching(/^PostgreSQL \d+\.\d+$/) },
    });
    const guarantees = { ...worker.details.guarantees, isolated: false };
    const ill = { sandbox: "process", guarantees, clockMs: 1, disk: { freeBytes: 1e6 } };
    await workers.upsertWorkerSeen(api.db, testWorker({ id: worker.id }, ill));
    const server = () => Promise.resolve({ name: "Redis", version: "7.2.4", evictionPolicy: "allkeys-lru" });
    Object.assign(api.control, { queue: { counts: () => Promise.resolve({}), server } });
    const { checks } = await examine();
    Object.assign(api.control, { queue: undefined });
    const faulty = ["isolation", "disks", "clocks"].map((name) => checks[name]);
    expect(faulty).toEqual(
      Array(3).fill(expect.objectContaining({ ok: false, found: expect.stringContaining(worker.id) })),
    );
    expect(checks["services"]).toMatchObject({ ok: false, found: expect.stringContaining("evicts (allkeys-lru)") });
    await workers.deleteWorker(api.db, worker.id);
  });

  test("says which workers differ, and what would give control groups", async () => {
    const limits = { memory: "per_sandbox", processes: "per_sandbox", cpu: "per_sandbox" };
    const missing = [{ what: "control groups", fix: "run `systemd-run`" }];
    const watched = { ...limits, memory: "watched" };
    const kinds = [
      { sandbox: "bwrap", guarantees: { isolated: true, limits, notes: [] } },
      { sandbox: "landlock", guarantees: { isolated: true, limits, notes: [] } },
      { sandbox: "bwrap", guarantees: { isolated: true, limits: watched, notes: [] }, missing },
    ];
    const ids = kinds.map(() => newId("worker"));
    const see = (at: number, more: Partial<WorkerReport> = {}) =>
      workers.upsertWorkerSeen(api.db, testWorker({ id: ids[at]! }, { ...kinds[at], ...more }));
    await see(0);
    expect((await examine()).checks["isolation"]).toMatchObject({ ok: true });
    await see(1);
    const { ok, found } = (await examine()).checks["isolation"]!;
    expect(ok).toBe(false);
    expect(found).toMatch(/^workers differ: /);
    expect(found).toContain(`${ids[0]}: bwrap (memory per_sandbox, processes per_sandbox, processors per_sandbox)`);
    expect(found).toContain(`${ids[1]}: landlock (`);
    await workers.deleteWorker(api.db, ids[1]!);
    await see(2);
    // The fixture has several organizations.
    expect((await examine()).checks["isolation"]).toMatchObject({
      ok: false,
      found: `several organizations share ${ids[2]}, where no control group limits a turn`,
      what_to_do: "run `systemd-run`",
    });
    // The operator chose this, so doctor states a fact, not a fault.
    await workers.deleteWorker(api.db, ids[0]!);
    await see(2, { minimumIsolation: "watched" });
    const said = (await examine()).checks["isolation"]!;
    expect([said.ok, said.found]).toEqual([
      true,
      "agents run in bwrap (memory watched, processes per_sandbox, processors per_sandbox); no control group limits " +
        `a turn on ${ids[2]}, as DARI_MINIMUM_ISOLATION=watched allows; without control groups: run \`systemd-run\``,
    ]);
    await workers.deleteWorker(api.db, ids[2]!);
  });

  test("says that a turn waits although slots are free", async () => {
    const worker = testWorker();
    await workers.upsertWorkerSeen(api.db, worker);
    const { agentId } = await createTestAgent(api.db, api.org.organizationId);
    const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
    const body = { parts: [{ type: "text", text: "hello" }] };
    const sent = await api.call("POST", `/v1/sessions/${sessionId}/messages/async`, { body });
    await api.db.pool.query("update sessions set ready_at = now() - interval '1 hour' where id = $1", [sessionId]);
    const { checks } = await examine();
    expect(checks["waiting"]).toMatchObject({
      ok: false,
      found: expect.stringMatching(/waited 36\d\d\.\d s, although/),
    });
    await turns.cancelMessageOf(api.db, api.org.organizationId, String(sent.json["id"]));
    await workers.deleteWorker(api.db, worker.id);
    expect((await examine()).checks["waiting"]).toMatchObject({ ok: true });
  });

  test("names a Redis that cannot be reached, an older schema, and each broken invariant with its rows", async () => {
    const { agentId } = await createTestAgent(api.db, api.org.organizationId);
    const sessionId = await createTestSession(api.db, api.org.organizationId, agentId);
    const messageId = await createTestMessage(api.db, api.org.organizationId, sessionId);
    await api.db.pool.query("update sessions set pending = 2 where id = $1", [sessionId]);
    const { blobs } = api.control;
    Object.assign(api.control, {
      queue: { counts: () => Promise.reject(new Error("connect ECONNREFUSED")) },
      blobs: { ...blobs, delete: () => Promise.reject(new Error("AccessDenied")) },
    });
    const newest = await api.db.pool.query(
      "update schema_migrations set name = '0000_old' where name = (select max(name) from schema_migrations)",
    );
    expect(newest.rowCount).toBe(1);
    const { reply, checks } = await examine();
    Object.assign(api.control, { queue: undefined, blobs });
    expect(checks["objects"]).toMatchObject({ ok: false, found: expect.stringContaining("AccessDenied") });
    expect(checks["queue"]).toMatchObject({ ok: false, found: expect.stringContaining("ECONNREFUSED") });
    expect(checks["schema"]).toMatchObject({ ok: false, what_to_do: expect.stringContaining("it migrates first") });
    expect(checks["invariants"]).toMatchObject({
      ok: false,
      found: `violated: pending_counts_open_messages (${sessionId})`,
    });
    expect(reply.json["violations"]).toMatchObject([{ invariant: "pending_counts_open_messages", rows: [sessionId] }]);
    expect(messageId).toMatch(/^msg_/);
  });
});
