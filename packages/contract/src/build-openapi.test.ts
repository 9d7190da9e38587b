// Tests the table of routes, and the document that is derived from it.

import { describe, expect, test } from "@jest/globals";
import { buildOpenApi } from "./build-openapi.ts";
import { fillPath, pathSchema, routePaths, routes } from "./routes.ts";
import type { Route } from "./routes/route.ts";
import { validate } from "./validate-value.ts";

const document = buildOpenApi({ version: "1", serverUrl: "http://127.0.0.1:4870" });

describe("the routes", () => {
  const table = Object.entries<Route>(routes);

  test("differ by method and path", () => {
    const keys = table.flatMap(([, route]) =>
      routePaths(route).map((path) => `${route.method} ${path.replace(/\{\w+\}/g, "{}")}`),
    );
    expect(new Set(keys).size).toBe(keys.length);
  });

  test.each(table)("%s has a rule for every path parameter, and one kind of reply", (_name, route) => {
    const parameters = Object.fromEntries([...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => [name ?? "", ""]));
    const issues = validate(pathSchema(route), parameters);
    expect(issues.every((issue) => issue.message.startsWith("expected a"))).toBe(true);
    expect([route.reply, route.replyContent].filter((reply) => reply !== undefined)).toHaveLength(1);
  });

  test("agents are also mounted as deployments", () => {
    expect(routePaths(routes.createSession)).toEqual([
      "/v1/agents/{agent_id}/sessions",
      "/v1/deployments/{agent_id}/sessions",
    ]);
    expect(routePaths(routes.getSession)).toEqual(["/v1/sessions/{session_id}"]);
  });

  test("paths are filled in and escaped", () => {
    expect(fillPath("/v1/agents/{agent_id}/versions/{version_id}", { agent_id: "agt_1", version_id: "a/b" })).toBe(
      "/v1/agents/agt_1/versions/a%2Fb",
    );
  });
});

interface Described {
  readonly parameters: readonly object[];
  readonly responses: object;
}

const operationOf = (path: string, method: string): Described =>
  (document["paths"] as unknown as Record<string, Record<string, Described>>)[path]?.[method] as Described;
const parametersOf = (path: string, method: string) => operationOf(path, method).parameters;
const statusesOf = (path: string, method: string) => Object.keys(operationOf(path, method).responses);

describe("the OpenAPI document", () => {
  test("has every route at every path", () => {
    const paths = document["paths"] as Record<string, Record<string, unknown>>;
    for (const route of Object.values<Route>(routes)) {
      for (const path of routePaths(route)) expect(paths[path]?.[route.method.toLowerCase()]).toBeDefined();
    }
  });

  test("has no dangling reference and no duplicate operation id", () => {
    const text = JSON.stringify(document);
    const components = document["components"] as Record<string, Record<string, unknown>>;
    for (const [, kind, name] of text.matchAll(/"#\/components\/(\w+)\/(\w+)"/g)) {
      expect(components[kind ?? ""]?.[name ?? ""]).toBeDefined();
    }
    const ids = [...text.matchAll(/"operationId":"(\w+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("is the same every time", () => {
    expect(JSON.stringify(buildOpenApi({ version: "1", serverUrl: "http://127.0.0.1:4870" }))).toBe(
      JSON.stringify(document),
    );
  });

  test("describes the value that the text of a query represents", () => {
    expect(parametersOf("/v1/agents", "get")).toContainEqual(
      expect.objectContaining({
        name: "limit",
        schema: expect.objectContaining({ type: "integer", minimum: 1, maximum: 500 }),
      }),
    );
    expect(JSON.stringify(document)).not.toContain("x-integer-text");
  });

  test("names ranges, and the conflicts of calls that read", () => {
    expect(parametersOf("/v1/files/{file_id}/content", "get")).toContainEqual(
      expect.objectContaining({ name: "Range" }),
    );
    expect(statusesOf("/v1/files/{file_id}/content", "get")).toEqual(expect.arrayContaining(["206", "416"]));
    expect(statusesOf("/v1/files/{file_id}/download-url", "get")).toContain("409");
    expect(statusesOf("/v1/files/{file_id}", "get")).not.toContain("409");
  });
});
