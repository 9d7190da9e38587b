// Every route with every scope, and every route with every id of a stranger. Driven by the contract's route table: a
// new route is walked without being named here.

import { apiKeyScopes, fillPath, hasScope, routePaths, routes, type Route, type RouteName } from "@dari/contract";
import { budgets } from "@dari/db";
import { newId } from "@dari/domain";
import {
  createTestAgent,
  createTestFile,
  createTestKey,
  createTestMessage,
  createTestSession,
  createTestSourceSnapshot,
  createTestWebhook,
  type TestOrganization,
} from "@dari/testkit";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";

type Ids = Readonly<Record<string, string>>;

const names = Object.keys(routes) as RouteName[];
let api: TestApi;
let own: Ids;
let foreign: Ids;

beforeAll(async () => {
  api = await startTestApi();
  own = await createRows(api.org);
  foreign = await createRows(api.stranger);
});
afterAll(async () => api[Symbol.asyncDispose]());

/** One of each noun that a path may name. */
async function createRows({ organizationId, keyId }: TestOrganization): Promise<Ids> {
  const { agentId, versionId } = await createTestAgent(api.db, organizationId);
  const sessionId = await createTestSession(api.db, organizationId, agentId);
  const webhook = await createTestWebhook(api.db, organizationId);
  const budget = { id: newId("budget"), organizationId, scope: "agent", targetId: agentId, period: "total" } as const;
  const caps = { setBy: "organization", maxTurns: 1_000_000, maxTurnSeconds: null, maxTokens: null } as const;
  expect((await budgets.putBudgetIfBelow(api.db, { ...budget, ...caps }, 1)).outcome).toBe("put");
  return {
    organization_id: organizationId,
    budget_id: budget.id,
    webhook_endpoint_id: webhook.endpointId,
    webhook_delivery_id: webhook.deliveryId,
    api_key_id: keyId,
    agent_id: agentId,
    version_id: versionId,
    session_id: sessionId,
    message_id: await createTestMessage(api.db, organizationId, sessionId),
    file_id: await createTestFile(api.db, organizationId),
    source_snapshot_id: await createTestSourceSnapshot(api.db, organizationId),
  };
}

/** Well-formed, and nobody's. */
const unknown: Ids = {
  organization_id: newId("organization"),
  api_key_id: newId("apiKey"),
  agent_id: newId("agent"),
  version_id: newId("version"),
  session_id: newId("session"),
  message_id: newId("message"),
  file_id: newId("file"),
  source_snapshot_id: newId("sourceSnapshot"),
  webhook_endpoint_id: newId("webhookEndpoint"),
  webhook_delivery_id: newId("webhookDelivery"),
  budget_id: newId("budget"),
};

/** Those that are no ids, and those of routes that this file does not know: nobody's. */
function pathOf(route: Route, path: string, ids: Ids): string {
  const names = [...route.path.matchAll(/\{(\w+)\}/g)].map((match) => String(match[1]));
  const rest = Object.fromEntries(names.map((name) => [name, ids[name] ?? otherParameter(name)]));
  const query = "query" in route && /content$/.test(route.path) ? "?path=/a" : "";
  return fillPath(path, rest as never) + query;
}

function otherParameter(name: string): string {
  return name === "attempt_number" ? "1" : name === "name" ? "A_SECRET" : "none_01jx5m0k8c3f7q2v9t4w6y8z1a";
}

describe("scopes", () => {
  let keys: Readonly<Record<string, string>>;
  beforeAll(async () => {
    const made = apiKeyScopes.map(async (scope) => {
      return [scope, (await createTestKey(api.db, api.org.organizationId, [scope])).apiKey] as const;
    });
    keys = Object.fromEntries(await Promise.all(made));
  });

  const table = names.flatMap((name) => apiKeyScopes.map((scope) => [name, scope] as const));
  test.each(table)("%s with a key that may %s", async (name, scope) => {
    const route: Route = routes[name];
    for (const path of routePaths(route)) {
      // Nobody's ids: who may call the route changes nothing.
      const named = pathOf(route, path, { ...unknown, organization_id: api.org.organizationId });
      const reply = await api.call(route.method, named, { key: keys[scope]!, body: bodyOf(route) });
      const needed = route.scope === "operator" ? "admin" : route.scope;
      expect(reply.status).not.toBe(401);
      if (needed !== null && !hasScope([scope], needed)) {
        expect([reply.status, reply.json.code]).toEqual([403, "forbidden"]);
        expect(reply.json.detail).toBe(`the API key lacks the scope '${needed}'`);
      } else if (route.scope === "operator" || name === "createOrganization") {
        expect([reply.status, reply.json.detail]).toEqual([403, expect.stringContaining("for operators")]);
      } else {
        expect([403, 500]).not.toContain(reply.status);
      }
    }
  });
});

/** Enough to be read; whether it validates does not matter to who may call. */
function bodyOf(route: Route): unknown {
  return route.request === undefined ? undefined : { name: "x" };
}

/** Ids outside of paths: what the call is made with, one of them replaced by a stranger's. */
const elsewhere: Partial<Record<RouteName, (ids: Ids) => { readonly body?: unknown; readonly query?: string }>> = {
  createAgent: (ids) => ({ body: { source_snapshot_id: ids["source_snapshot_id"] } }),
  createVersion: (ids) => ({ body: { source_snapshot_id: ids["source_snapshot_id"] } }),
  activateVersion: (ids) => ({ body: { version_id: ids["version_id"] } }),
  createSession: (ids) => ({ body: { version_id: ids["version_id"] } }),
  sendMessage: withFile,
  sendMessageSync: withFile,
  sendMessageAsync: withFile,
  sendMessageStream: withFile,
  retryMessage: (ids) => ({ body: { fork: true, version_id: ids["version_id"] } }),
  putBudget: (ids) => ({ body: { period: "day", max_turns: 1, agent_id: ids["agent_id"] } }),
  forkSession: (ids) => ({ body: { message_id: ids["message_id"] } }),
  rollBackSession: (ids) => ({ body: { message_id: ids["message_id"] } }),
  importSession: (ids) => ({ query: `?agent_id=${ids["agent_id"]}` }),
  listSessions: (ids) => ({ query: `?agent_id=${ids["agent_id"]}&after=${ids["session_id"]}` }),
  listAgents: (ids) => ({ query: `?after=${ids["agent_id"]}` }),
  listVersions: (ids) => ({ query: `?after=${ids["version_id"]}` }),
  listFiles: (ids) => ({ query: `?after=${ids["file_id"]}` }),
  listMessages: (ids) => ({ query: `?after=${ids["message_id"]}` }),
  createWebhookEndpoint: (ids) => ({ body: { url: "https://receiver.example", agent_id: ids["agent_id"] } }),
  listWebhookEndpoints: (ids) => ({ query: `?after=${ids["webhook_endpoint_id"]}` }),
  listWebhookDeliveries: (ids) => ({ query: `?after=${ids["webhook_delivery_id"]}` }),
  listApiKeys: (ids) => ({ query: `?after=${ids["api_key_id"]}` }),
  retryMessages: (ids) => ({
    body: { filter: { agent_id: ids["agent_id"], session_id: ids["session_id"] }, after: ids["message_id"] },
  }),
};

function withFile(ids: Ids) {
  return { body: { delivery: "async", parts: [{ type: "file", file_id: ids["file_id"] }] } };
}

/** The answer without what differs from call to call. */
function withoutIds(reply: TestReply, ids: Ids): unknown {
  const text = Object.values(ids).reduce((rest, id) => rest.replaceAll(id, "(the id)"), reply.text);
  return [reply.status, text.replace(/"request_id":"[^"]*"/, "")];
}

async function callWith(name: RouteName, path: string, slots: Ids): Promise<TestReply> {
  const route: Route = routes[name];
  const { body, query } = elsewhere[name]?.(slots) ?? { body: bodyOf(route), query: undefined };
  const target = pathOf(route, path, slots) + (query ?? "");
  const headers = route.requestContent === undefined ? {} : { "content-type": route.requestContent };
  return api.call(route.method, target, { body: route.request === undefined ? undefined : body, headers });
}

describe("another organization's ids", () => {
  const walked = names.filter((name) => {
    const route: Route = routes[name];
    return route.scope !== null && route.scope !== "operator";
  });

  test("are answered as those that nobody has, wherever they are put", async () => {
    const before = await rowsOf(api.stranger.organizationId);
    let looks = 0;
    for (const name of walked) {
      const route: Route = routes[name];
      const inPath = [...route.path.matchAll(/\{(\w+_id)\}/g)].map((match) => String(match[1]));
      const outside = Object.keys(own).filter((slot) => {
        const shown = JSON.stringify(elsewhere[name]?.(own) ?? {});
        return shown.includes(String(own[slot])) && !inPath.includes(slot);
      });
      for (const path of routePaths(route)) {
        for (const slot of [...inPath, ...outside]) {
          expect([name, slot, foreign[slot]]).toEqual([name, slot, expect.any(String)]);
          const theirs = await callWith(name, path, { ...own, [slot]: String(foreign[slot]) });
          const nobodys = await callWith(name, path, { ...own, [slot]: String(unknown[slot]) });
          expect([name, slot, withoutIds(theirs, foreign)]).toEqual([name, slot, withoutIds(nobodys, unknown)]);
          const refusals = inPath.includes(slot) ? [404, 422] : [200, 404, 409, 422];
          expect([name, slot, refusals]).toEqual([name, slot, expect.arrayContaining([theirs.status])]);
          looks += 1;
        }
      }
    }
    expect(looks).toBeGreaterThan(names.length);
    expect(await rowsOf(api.stranger.organizationId)).toEqual(before);
  });

  test("of every kind, in every place of a path, open nothing and show nothing", async () => {
    const before = await rowsOf(api.stranger.organizationId);
    for (const name of walked) {
      const route: Route = routes[name];
      for (const [, slot] of route.path.matchAll(/\{(\w+_id)\}/g)) {
        for (const id of Object.values(foreign)) {
          const reply = await callWith(name, route.path, { ...own, [String(slot)]: id });
          expect([name, slot, id, [404, 422]]).toEqual([name, slot, id, expect.arrayContaining([reply.status])]);
          const shown = Object.values(foreign).filter((other) => other !== id && reply.text.includes(other));
          expect([name, slot, id, shown]).toEqual([name, slot, id, []]);
        }
      }
    }
    expect(await rowsOf(api.stranger.organizationId)).toEqual(before);
  });

  test("are in this walk wherever a body or a query takes one", () => {
    const missing = walked.filter((name) => {
      const route: Route = routes[name];
      const text = JSON.stringify([route.request ?? {}, { ...(route.query as object), after: undefined }]);
      return text.includes("an id that starts with") && elsewhere[name] === undefined;
    });
    expect(missing).toEqual([]);
  });
});

/** What an organization owns, as one digest per table. */
async function rowsOf(organizationId: string): Promise<unknown> {
  const tables = await api.db.pool.query(`select table_name as name from information_schema.columns
    where table_schema = 'dari' and column_name = 'organization_id' order by 1`);
  const digests = [];
  for (const { name } of tables.rows as { name: string }[]) {
    const { rows } = await api.db.pool.query(
      `select md5(string_agg(md5(t::text), '' order by md5(t::text))) as digest from dari.${name} t
        where organization_id = $1`,
      [organizationId],
    );
    digests.push([name, (rows[0] as { digest: string | null }).digest]);
  }
  return digests;
}
