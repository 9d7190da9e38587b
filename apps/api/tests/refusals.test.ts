// Every route refuses callers without a key or the scope, other organizations' resources, and invalid bodies. Uses the
// contract's route table: a new route fails here until it has its cases.

import { fillPath, isOpenAiPath, routePaths, routes, type Route, type RouteName } from "@dari/contract";
import { newId } from "@dari/domain";
import {
  createTestAgent,
  createTestBatch,
  createTestFile,
  createTestInvitation,
  createTestKey,
  createTestMember,
  createTestMessage,
  createTestSchedule,
  createTestSession,
  createTestSourceSnapshot,
  createTestTrigger,
  createTestWebhook,
} from "@dari/testkit";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import { routeCases as cases } from "./route-cases.ts";

/** Far below its limit. */
const budget = { period: "total", max_turns: 1_000_000 };

const names = Object.keys(routes) as RouteName[];
let api: TestApi;
/** Ids of `api.org`; the stranger's calls must find none of them. */
let ids: Record<string, string>;

beforeAll(async () => {
  api = await startTestApi();
  const { organizationId } = api.org;
  const { agentId, versionId } = await createTestAgent(api.db, organizationId);
  const sessionId = await createTestSession(api.db, organizationId, agentId);
  const messageId = await createTestMessage(api.db, organizationId, sessionId);
  const webhook = await createTestWebhook(api.db, organizationId);
  const trigger = await createTestTrigger(api.db, organizationId, agentId);
  ids = {
    trigger_id: trigger.triggerId,
    trigger_token: trigger.token,
    organization_id: organizationId,
    webhook_endpoint_id: webhook.endpointId,
    webhook_delivery_id: webhook.deliveryId,
    api_key_id: api.org.keyId,
    agent_id: agentId,
    version_id: versionId,
    session_id: sessionId,
    session_batch_id: await createTestBatch(api.db, organizationId, agentId),
    schedule_id: await createTestSchedule(api.db, organizationId, agentId),
    message_id: messageId,
    response_id: messageId.replace("msg", "resp"),
    conversation_id: sessionId.replace("sess", "conv"),
    file_id: await createTestFile(api.db, organizationId),
    member_id: (await createTestMember(api.db, organizationId)).memberId,
    invitation_id: await createTestInvitation(api.db, organizationId),
    source_snapshot_id: await createTestSourceSnapshot(api.db, organizationId),
    name: "A_SECRET",
    attempt_number: "1",
    call_id: "call_1",
    value_id: newId("value"),
    budget_id: String((await api.call("PUT", "/v1/organizations/current/budgets", { body: budget })).json["id"]),
  };
});
afterAll(async () => api[Symbol.asyncDispose]());

function pathsOf(route: Route): string[] {
  return routePaths(route).map((path) => fillPath(path, ids as never));
}

/** Returns a key that is allowed to call the route. */
function keyFor(route: Route): string {
  return route.scope === "operator" ? api.operator.apiKey : api.org.apiKey;
}

function bodyOf(name: RouteName): unknown {
  const route: Route = routes[name];
  if (route.request === undefined) return undefined;
  const known = cases[name].valid;
  if (known !== undefined) return known;
  if (name === "activateVersion") return { version_id: ids["version_id"] };
  return name === "bootstrap" ? {} : { source_snapshot_id: ids["source_snapshot_id"] };
}

/** OpenAI's clients expect 400. */
function invalidStatus({ path }: Route): number {
  return isOpenAiPath(path) ? 400 : 422;
}

function expectError(reply: { status: number; json: Record<string, unknown>; headers: Headers }, code: string): void {
  expect(reply.json).toMatchObject({ detail: expect.any(String), code });
  expect(reply.json["request_id"]).toBe(reply.headers.get("x-request-id"));
}

test("every route of the contract has its cases", () => {
  expect(Object.keys(cases).sort()).toEqual([...names].sort());
  const bodies = names.filter((name) => "request" in routes[name]);
  expect(bodies.filter((name) => (cases[name].invalid ?? []).length === 0)).toEqual([]);
});

describe.each(names)("%s", (name) => {
  const route: Route = routes[name];

  test("refuses a call with no key, a wrong one, or one without the scope", async () => {
    for (const path of pathsOf(route)) {
      for (const key of [null, "dari_wrong", `dari_${"x".repeat(43)}`]) {
        const reply = await api.call(route.method, path, { key, body: bodyOf(name) });
        if (route.scope === null) {
          expect(reply.status).not.toBe(401);
          continue;
        }
        expect(reply.status).toBe(401);
        expect(reply.json.detail).toBe("Missing or invalid API key");
        expectError(reply, "unauthenticated");
      }
      if (route.scope === null || route.scope === "read") continue;
      const { apiKey } = await createTestKey(api.db, api.org.organizationId, ["read"]);
      const reply = await api.call(route.method, path, { key: apiKey, body: bodyOf(name) });
      expect(reply.status).toBe(403);
      expect(reply.json.detail).toContain(`'${route.scope === "operator" ? "admin" : route.scope}'`);
      expectError(reply, "forbidden");
      if (route.scope !== "operator") continue;
      const byTenant = await api.call(route.method, path, { body: bodyOf(name) });
      expect([byTenant.status, byTenant.json.detail]).toEqual([
        403,
        expect.stringContaining("only operators can do this"),
      ]);
      expectError(byTenant, "forbidden");
    }
  });

  test("finds nothing of another organization, and refuses ids of another kind", async () => {
    if (!/\{\w+_id\}/.test(route.path) || route.scope === null) return;
    const query = "query" in route && /(content|bundle\/file)$/.test(route.path) ? "?path=/a" : "";
    for (const path of pathsOf(route)) {
      if (route.scope === "operator") continue;
      const reply = await api.call(route.method, path + query, { key: api.stranger.apiKey, body: bodyOf(name) });
      expect([reply.status, reply.text]).toEqual([404, expect.any(String)]);
      expectError(reply, "not_found");
    }
    for (const [, parameter] of route.path.matchAll(/\{(\w+_id)\}/g)) {
      // Agents choose it.
      if (parameter === "call_id") continue;
      const mixedUp = fillPath(route.path, {
        ...ids,
        [String(parameter)]: "evt_01jx5m0k8c3f7q2v9t4w6y8z1a",
      } as never);
      const reply = await api.call(route.method, mixedUp + query, { key: keyFor(route), body: bodyOf(name) });
      expect(reply.status).toBe(invalidStatus(route));
      expect(reply.json["errors"]).toEqual([{ path: parameter, message: expect.stringContaining("starts with '") }]);
      expectError(reply, "invalid");
    }
  });

  test("refuses bodies that do not validate, naming the field", async () => {
    for (const [body, field] of cases[name].invalid ?? []) {
      const [path] = pathsOf(route);
      const reply = await api.call(route.method, String(path), { key: keyFor(route), body });
      expect([body, reply.status]).toEqual([body, invalidStatus(route)]);
      expectError(reply, "invalid");
      const fields = (reply.json["errors"] as { path: string }[]).map((issue) => issue.path);
      expect([body, fields]).toEqual([body, expect.arrayContaining([field])]);
    }
    if (route.request === undefined) return;
    const reply = await api.call(route.method, String(pathsOf(route)[0]), { key: keyFor(route), body: '{"a": ' });
    expect(reply.status).toBe(invalidStatus(route));
    expect(reply.json.detail).toMatch(/not valid JSON/);
  });
});

test("what one organization created still belongs to it after all of that", async () => {
  for (const path of [
    `/v1/agents/${ids["agent_id"]}`,
    `/v1/sessions/${ids["session_id"]}`,
    `/v1/files/${ids["file_id"]}`,
  ]) {
    expect((await api.call("GET", path)).status).toBe(200);
  }
});
