// The console's files as the API serves them: with a strict policy, and found even if they are built later.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";

let dir: string;
let api: TestApi;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "dari-console-"));
  api = await startTestApi({ consoleDir: path.join(dir, "dist") });
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

test("a console that is not built says how to build it, and is served as soon as it is built", async () => {
  const missing = await api.call("GET", "/console", { key: null });
  expect([missing.status, missing.text]).toEqual([503, expect.stringContaining("npm run console")]);

  await mkdir(path.join(dir, "dist", "assets"), { recursive: true });
  await writeFile(path.join(dir, "secret.txt"), "a stranger's");
  await writeFile(path.join(dir, "dist", "index.html"), "<title>the page</title>");
  await writeFile(path.join(dir, "dist", "assets", "index-1.js"), "export {};");
  for (const place of ["/console", "/console/", "/console/sessions/sess_1"]) {
    const page = await api.call("GET", place, { key: null });
    expect([place, page.status, page.text]).toEqual([place, 200, "<title>the page</title>"]);
    expect(page.headers.get("cache-control")).toBe("no-cache");
    const policy = page.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain("unsafe");
  }
});

test("hashed assets are cached for a year; missing ones are not found", async () => {
  const asset = await api.call("GET", "/console/assets/index-1.js", { key: null });
  expect(asset.status).toBe(200);
  expect(asset.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
  expect(asset.headers.get("x-content-type-options")).toBe("nosniff");
  expect(asset.headers.get("content-encoding")).toBeNull();
  await writeFile(path.join(dir, "dist", "assets", "index-1.js.gz"), gzipSync("export {};"));
  const packed = await api.call("GET", "/console/assets/index-1.js", { key: null });
  expect([packed.text, packed.headers.get("content-encoding")]).toEqual(["export {};", "gzip"]);
  expect(packed.headers.get("content-type")).toContain("javascript");
  const plain = await api.call("GET", "/console/assets/index-1.js", { headers: { "accept-encoding": "identity" } });
  expect([plain.text, plain.headers.get("content-encoding")]).toEqual(["export {};", null]);
  const others = ["/console/assets/gone.js", "/console/assets/%2e%2e/%2e%2e/secret.txt", "/consoles"];
  for (const place of others) expect([place, (await api.call("GET", place)).status]).toEqual([place, 404]);
});
