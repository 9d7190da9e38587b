// Liveness is cheap; readiness is the result of every check.

import { afterEach, expect, test } from "@jest/globals";
import { checkHealth, serveHealth, type HealthChecks, type HealthServer } from "../src/index.ts";

const servers: HealthServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
});

async function get(checks: HealthChecks, path: string): Promise<{ status: number; body: unknown }> {
  const server = await serveHealth({ port: 0, checks });
  servers.push(server);
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
  const text = await response.text();
  return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
}

const fine = (): Promise<void> => Promise.resolve();
const broken = (): Promise<void> => Promise.reject(new Error("no lease was renewed"));

test("readiness names the check that fails", async () => {
  expect(await get({ feed: fine }, "/readyz")).toEqual({ status: 200, body: { ok: true, checks: { feed: "ok" } } });
  expect(await get({ feed: fine, leases: broken }, "/readyz")).toEqual({
    status: 503,
    body: { ok: false, checks: { feed: "ok", leases: "no lease was renewed" } },
  });
});

test("liveness checks no service", async () => {
  expect(await get({ leases: broken }, "/healthz")).toEqual({ status: 200, body: { ok: true } });
  expect(await get({}, "/other")).toEqual({ status: 404, body: undefined });
});

test("a check that does not answer has failed", async () => {
  const report = await checkHealth({ silent: () => new Promise(() => undefined) }, 20);
  expect(report).toEqual({ ok: false, checks: { silent: "no answer within 20 ms" } });
});
