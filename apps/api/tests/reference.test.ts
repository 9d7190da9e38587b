// The description of the API, for programs and people.

import { buildOpenApi, routePaths, routes, type Route } from "@dari/contract";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => api[Symbol.asyncDispose]());

test("the document is generated from the schemas, names this origin, and is the same for everyone", async () => {
  const reply = await api.call("GET", "/openapi.json", { key: null });
  expect(reply.status).toBe(200);
  expect(reply.headers.get("access-control-allow-origin")).toBe("*");
  expect(reply.json).toEqual(JSON.parse(JSON.stringify(buildOpenApi({ version: "1", serverUrl: api.url }))));
});

test("the page has each route with an example at this origin, and nothing of another host", async () => {
  const { status, text, headers } = await api.call("GET", "/docs", { key: null });
  expect([status, headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  const all = Object.values<Route>(routes);
  const missing = all.filter(({ method, path }) => !text.includes(`curl -X ${method} &#39;${api.url}${path}`));
  expect(missing).toEqual([]);
  const aliases = all.flatMap((route) => routePaths(route).slice(1));
  expect(aliases.filter((path) => !text.includes(`also at <code>${path}</code>`))).toEqual([]);
  expect(text).not.toContain(`${api.url}/v1/deployments`);
  expect(text).toContain("-d &#39;{&quot;parts&quot;:[{&quot;type&quot;:&quot;text&quot;");
  expect(text.match(/(src|href)="(?!#)[^"]*"/g)).toBeNull();
  const [, script] = /<script>([\s\S]*)<\/script>/.exec(text) ?? [];
  const hash = Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from(script ?? ""))).toString("base64");
  expect(headers.get("content-security-policy")).toContain(`script-src 'sha256-${hash}'`);
});

test("every link of the page leads somewhere", async () => {
  const { text } = await api.call("GET", "/docs", { key: null });
  const ids = [...text.matchAll(/ id="([^"]+)"/g)].map((match) => match[1] ?? "");
  expect(new Set(ids).size).toBe(ids.length);
  const targets = [...text.matchAll(/href="#([^"]+)"/g)].map((match) => match[1] ?? "");
  expect(targets.filter((target) => !ids.includes(target))).toEqual([]);
});

test("agents come first, and a call can be tried unless it sends or gets bytes", async () => {
  const { text } = await api.call("GET", "/docs", { key: null });
  expect([...text.matchAll(/<h2>([^<]+)<\/h2>/g)][0]?.[1]).toBe("agents");
  const formOf = (id: string) => text.split(`<article id="${id}"`)[1]?.split("</article>")[0]?.includes("<form");
  expect(["listAgents", "createSession", "getMessageLogs"].map(formOf)).toEqual([true, true, true]);
  expect(["uploadFile", "streamSession", "sendMessage", "exportSession"].map(formOf)).toEqual(Array(4).fill(false));
});

test.each(["/openapi.json", "/docs"])("%s is read only", async (path) => {
  const reply = await api.call("POST", path, { body: {} });
  expect([reply.status, reply.headers.get("allow")]).toEqual([405, "GET"]);
});
