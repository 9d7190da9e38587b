// A stolen session token, at every route of the contract: what is not in the table refuses it, and what is in the table
// shows and changes nothing of another session.

import { hasScope, routePaths, routes, sessionTokenScopes, tokenScopeOf, tokenTargets } from "@dari/contract";
import type { Route, RouteName } from "@dari/contract";
import { createTestFile, createTestMessage, createTestSession } from "@dari/testkit";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi, type TestReply } from "./api-fixture.ts";
import { createCall, createRows, elsewhere, idsInPath, pathOf, rowsOf, unknown, withoutIds } from "./foreign-ids.ts";
import type { Ids } from "./foreign-ids.ts";
import { routeCases } from "./route-cases.ts";
import { signToken, tokenOf } from "./session-token-fixture.ts";

const names = Object.keys(routes) as RouteName[];
const allowed = names.filter((name) => tokenScopeOf(name) !== undefined);
/** Routes that need no key ignore what the header has. */
const refused = names.filter((name) => tokenScopeOf(name) === undefined && (routes[name] as Route).scope !== null);

let api: TestApi;
let own: Ids;
/** Another session of the same organization. */
let others: Ids;
let strangers: Ids;
let token: string;

beforeAll(async () => {
  api = await startTestApi({ settings: { syncWaitMs: 50 } });
  own = await createRows(api, api.org);
  strangers = await createRows(api, api.stranger);
  const { organizationId } = api.org;
  const session_id = await createTestSession(api.db, organizationId, String(own["agent_id"]));
  const message_id = await createTestMessage(api.db, organizationId, session_id);
  others = {
    session_id,
    message_id,
    conversation_id: session_id.replace("sess", "conv"),
    response_id: message_id.replace("msg", "resp"),
    file_id: await createTestFile(api.db, organizationId),
    ...(await createCall(api, organizationId, session_id, message_id)),
  };
  token = await tokenOf(api, String(own["session_id"]));
});
afterAll(async () => api[Symbol.asyncDispose]());

function callWithToken(name: RouteName, path: string, ids: Ids, key = token): Promise<TestReply> {
  const route: Route = routes[name];
  const { body, query } = elsewhere[name]?.(ids) ?? { body: routeCases[name].valid ?? {}, query: undefined };
  const headers = route.requestContent === undefined ? {} : { "content-type": route.requestContent };
  const target = pathOf(route, path, ids) + (query ?? "");
  return api.call(route.method, target, { key, body: route.request === undefined ? undefined : body, headers });
}

/** Everything that the organization has, but the counters of rate limits. */
async function keptRows(): Promise<unknown> {
  const rows = (await rowsOf(api, api.org.organizationId)) as [string, unknown][];
  return rows.filter(([table]) => table !== "rate_windows");
}

test("every other route refuses it, at each path, before it does anything", async () => {
  const before = await keptRows();
  expect(refused.length).toBeGreaterThan(80);
  for (const name of refused) {
    const route: Route = routes[name];
    for (const path of routePaths(route)) {
      const reply = await callWithToken(name, path, own);
      expect([name, reply.status, reply.json.code]).toEqual([name, 403, "forbidden"]);
      expect(reply.json.detail).toContain("a session token cannot make this request");
      if (route.method !== "GET") continue;
      expect([name, (await api.call("HEAD", pathOf(route, path, own), { key: token })).status]).toEqual([name, 403]);
    }
  }
  expect(await keptRows()).toEqual(before);
});

test("each route of the table names its target, or only creates", () => {
  for (const name of allowed) {
    const route: Route = routes[name];
    expect([name, hasScope(["run"], route.scope as "run")]).toEqual([name, true]);
    const targets = idsInPath(route).filter((slot) => tokenTargets.some((target) => target === slot));
    expect([name, targets.length === 1 || name === "uploadFile"]).toEqual([name, true]);
    // Others are part of a message, which is checked.
    const rest = idsInPath(route).filter((slot) => !targets.includes(slot));
    expect([name, rest.filter((slot) => !["call_id", "value_id"].includes(slot))]).toEqual([name, []]);
  }
});

test("a route of the table shows and changes nothing of another session", async () => {
  const before = await keptRows();
  let looks = 0;
  for (const name of allowed) {
    const route: Route = routes[name];
    const inPath = idsInPath(route);
    const slots = inPath.length > 0 ? inPath : ["file_id"];
    for (const slot of slots.filter((one) => others[one] !== undefined)) {
      if (name === "uploadFile") continue;
      const nobodys = await callWithToken(name, route.path, { ...own, [slot]: String(unknown[slot]) });
      for (const [whose, ids] of Object.entries({ others, strangers })) {
        const theirs = await callWithToken(name, route.path, { ...own, [slot]: String(ids[slot]) });
        const what = [name, slot, whose];
        expect([...what, [403, 404], withoutIds(theirs, ids)]).toEqual([
          ...what,
          expect.arrayContaining([theirs.status]),
          withoutIds(nobodys, unknown),
        ]);
        for (const id of Object.values(ids)) {
          if (id !== ids[slot]) expect([...what, theirs.text.includes(id)]).toEqual([...what, false]);
        }
        looks += 1;
      }
    }
  }
  expect(looks).toBeGreaterThan(2 * allowed.length);
  expect(await keptRows()).toEqual(before);
});

test("a message with a file of another session, or of none, is refused, and nothing is queued", async () => {
  const before = await keptRows();
  for (const name of allowed.filter((one) => one.startsWith("sendMessage"))) {
    const replies = [];
    for (const ids of [others, strangers, unknown]) {
      const reply = await callWithToken(name, routes[name].path, { ...own, file_id: String(ids["file_id"]) });
      expect([name, reply.status]).toEqual([name, 422]);
      replies.push(withoutIds(reply, ids));
    }
    expect([name, new Set(replies.map((reply) => JSON.stringify(reply))).size]).toEqual([name, 1]);
  }
  expect(await keptRows()).toEqual(before);
});

test("each scope opens its own routes only", async () => {
  for (const scope of sessionTokenScopes) {
    const one = signToken(api, String(own["session_id"]), { scopes: [scope] });
    for (const name of allowed.filter((other) => tokenScopeOf(other) !== scope)) {
      const reply = await callWithToken(name, routes[name].path, own, one);
      expect([name, reply.status, reply.json.detail]).toEqual([
        name,
        403,
        expect.stringContaining(`the session token does not have the scope '${tokenScopeOf(name)}'`),
      ]);
    }
  }
});

test("its own session can be read", async () => {
  const paths = ["", "/messages", "/events", "/transcript", "/files"].map(
    (rest) => `/v1/sessions/${own["session_id"]}${rest}`,
  );
  const ofMessage = ["", "/files", `/tool-calls/${own["call_id"]}`].map(
    (rest) => `/v1/messages/${own["message_id"]}${rest}`,
  );
  for (const path of [...paths, ...ofMessage]) {
    expect([path, (await api.call("GET", path, { key: token })).status]).toEqual([path, 200]);
    expect([path, (await api.call("HEAD", path, { key: token })).status]).toEqual([path, 200]);
  }
});

test("pages outside of the contract do not accept it", async () => {
  for (const path of ["/metrics", "/ops/queues", "/ops/queues/api/queues"]) {
    const reply = await api.call("GET", path, { key: token });
    const without = await api.call("GET", path, { key: null });
    expect([path, reply.status]).toEqual([path, without.status]);
    expect([401, 404]).toContain(reply.status);
  }
  for (const where of ["token", "access_token", "authorization", "key"]) {
    const path = `/v1/sessions/${own["session_id"]}?${where}=${token}`;
    expect((await api.call("GET", path, { key: null })).status).toBe(401);
  }
  const cookie = `dari_sign_in=${token}`;
  const path = `/v1/sessions/${own["session_id"]}`;
  expect((await api.call("GET", path, { key: null, headers: { cookie } })).status).toBe(401);
  expect(JSON.stringify(api.log)).not.toContain(token.slice(0, 40));
});
