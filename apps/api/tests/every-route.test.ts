// Every route with every scope, and every route with every foreign id. Uses the contract's route table, so new routes
// are included.

import { apiKeyScopes, hasScope, routePaths, routes, type Route, type RouteName } from "@dari/contract";
import { createTestKey } from "@dari/testkit";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";
import {
  bodyOf,
  callWith,
  createRows,
  elsewhere,
  idsInPath,
  looksAt,
  pathOf,
  rowsOf,
  unknown,
  walkedRoutes,
  withoutIds,
  type Ids,
} from "./foreign-ids.ts";

const names = Object.keys(routes) as RouteName[];
let api: TestApi;
let own: Ids;
let foreign: Ids;

beforeAll(async () => {
  api = await startTestApi();
  own = await createRows(api, api.org);
  foreign = await createRows(api, api.stranger);
});
afterAll(async () => api[Symbol.asyncDispose]());

describe("scopes", () => {
  let keys: Readonly<Record<string, string>>;
  beforeAll(async () => {
    const made = apiKeyScopes.map(async (scope) => {
      return [scope, (await createTestKey(api.db, api.org.organizationId, [scope])).apiKey] as const;
    });
    keys = Object.fromEntries(await Promise.all(made));
  });

  const table = names.flatMap((name) => apiKeyScopes.map((scope) => [name, scope] as const));
  test.each(table)("%s with a key that has the scope %s", async (name, scope) => {
    const route: Route = routes[name];
    for (const path of routePaths(route)) {
      // Ids that do not exist: who may call the route changes nothing.
      const named = pathOf(route, path, { ...unknown, organization_id: api.org.organizationId });
      const reply = await api.call(route.method, named, { key: keys[scope]!, body: bodyOf(route) });
      const needed = route.scope === "operator" ? "admin" : route.scope;
      expect(reply.status).not.toBe(401);
      if (needed !== null && !hasScope([scope], needed)) {
        expect([reply.status, reply.json.code]).toEqual([403, "forbidden"]);
        const has = `the API key does not have the scope '${needed}', which this request requires (it has: ${scope})`;
        expect(reply.json.detail).toBe(`${has}; use a key with that scope`);
      } else if (route.scope === "operator" || name === "createOrganization") {
        expect([reply.status, reply.json.detail]).toEqual([403, expect.stringContaining("only operators can do this")]);
      } else {
        expect([403, 500]).not.toContain(reply.status);
      }
    }
  });
});

describe("another organization's ids", () => {
  test("are answered like unknown ids, in every parameter", async () => {
    const before = await rowsOf(api, api.stranger.organizationId);
    let looks = 0;
    for await (const { name, slot, isInPath, theirs, nobodys } of looksAt(api, own, foreign)) {
      expect([name, slot, withoutIds(theirs, foreign)]).toEqual([name, slot, withoutIds(nobodys, unknown)]);
      const refusals = isInPath ? [400, 404, 422] : [200, 400, 404, 409, 422];
      expect([name, slot, refusals]).toEqual([name, slot, expect.arrayContaining([theirs.status])]);
      looks += 1;
    }
    expect(looks).toBeGreaterThan(names.length);
    expect(await rowsOf(api, api.stranger.organizationId)).toEqual(before);
  });

  test("of every kind, in every part of a path, show nothing", async () => {
    const before = await rowsOf(api, api.stranger.organizationId);
    for (const name of walkedRoutes) {
      const route: Route = routes[name];
      for (const slot of idsInPath(route)) {
        for (const id of Object.values(foreign)) {
          const reply = await callWith(api, name, route.path, { ...own, [slot]: id });
          expect([name, slot, id, [400, 404, 422]]).toEqual([name, slot, id, expect.arrayContaining([reply.status])]);
          const shown = Object.values(foreign).filter((other) => other !== id && reply.text.includes(other));
          expect([name, slot, id, shown]).toEqual([name, slot, id, []]);
        }
      }
    }
    expect(await rowsOf(api, api.stranger.organizationId)).toEqual(before);
  });

  test("are tried here in every body and query that has one", () => {
    const missing = walkedRoutes.filter((name) => {
      const route: Route = routes[name];
      const text = JSON.stringify([route.request ?? {}, { ...(route.query as object), after: undefined }]);
      return text.includes("an id that starts with") && elsewhere[name] === undefined;
    });
    expect(missing).toEqual([]);
  });
});
