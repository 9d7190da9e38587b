// The packages as the API serves them: to everyone, found even if they are built later, and nothing else.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "./api-fixture.ts";

const wheel = "dari_client-1.2.3-py3-none-any.whl";
let dir: string;
let api: TestApi;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "dari-packages-"));
  api = await startTestApi({ packagesDir: path.join(dir, "dist") });
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

test("packages that are not built say how to build them, and are served as soon as they are built", async () => {
  for (const place of ["/install.sh", "/packages", "/packages/dari-cli.tgz"]) {
    const missing = await api.call("GET", place, { key: null });
    expect([place, missing.status, missing.text]).toEqual([place, 503, expect.stringContaining("npm run packages")]);
  }
  await mkdir(path.join(dir, "dist"));
  await writeFile(path.join(dir, "secret.txt"), "of another");
  await writeFile(path.join(dir, "dist", "dari-cli.tgz"), "an archive");
  await writeFile(path.join(dir, "dist", wheel), "a wheel");
  const rows = ["dari-cli.tgz", wheel, "lost.tgz"].map((file) => ({
    name: "n",
    version: "1.2.3",
    file,
    sizeBytes: 1,
    sha256: `hash of ${file}`,
  }));
  await writeFile(path.join(dir, "dist", "index.json"), JSON.stringify(rows));
  const archive = await api.call("GET", "/packages/dari-cli.tgz", { key: null });
  expect([archive.status, archive.text]).toEqual([200, "an archive"]);
});

test("they need no key, and can be cached", async () => {
  const types = { "dari-cli.tgz": "application/gzip", [wheel]: "application/octet-stream" };
  for (const [file, type] of Object.entries(types)) {
    const { status, headers } = await api.call("GET", `/packages/${file}`, { key: null });
    expect([status, headers.get("content-type")]).toEqual([200, type]);
    expect(headers.get("cache-control")).toBe("public, max-age=300");
    expect(headers.get("etag")).toBe(`"hash of ${file}"`);
  }
  const index = await api.call("GET", "/packages", { key: null });
  expect(index.text).toContain(`<a href="/packages/${wheel}">`);
});

test("a header of the caller's is not part of the script", async () => {
  await using proxied = await startTestApi({ packagesDir: path.join(dir, "dist"), settings: { trustedProxies: 1 } });
  const headers = { "x-forwarded-proto": "x'; echo taken; '" };
  const url = proxied.url.replace("127.0.0.1", "localhost");
  const { status, text } = await fetchText(`${url}/install.sh`, headers);
  expect([status, text.includes("taken")]).toEqual([200, false]);
  expect(text).toContain(`platform='${url}'`);
});

test("a file that a build has just replaced is not cached, and its directory is not shown", async () => {
  const { status, text, headers } = await api.call("GET", "/packages/lost.tgz", { key: null });
  expect([status, headers.get("etag"), headers.get("cache-control")]).toEqual([503, null, null]);
  expect(text).not.toContain(dir);
});

test("no other file of the directory or next to it is served", async () => {
  for (const file of ["index.json", "gone.tgz", "%2e%2e%2fsecret.txt", "..%2fsecret.txt"]) {
    expect([file, (await api.call("GET", `/packages/${file}`, { key: null })).status]).toEqual([file, 404]);
  }
});

test("the script names the address that its caller uses, but no text that a shell would run", async () => {
  const { text, headers } = await api.call("GET", "/install.sh", { key: null });
  expect(headers.get("content-type")).toBe("text/x-shellscript; charset=utf-8");
  expect(headers.get("vary")?.toLowerCase()).toContain("host");
  expect(text).toContain(`platform='${api.url}'`);
  expect(text.trimEnd().endsWith("\nmain")).toBe(true);
});

async function fetchText(url: string, headers: Record<string, string>): Promise<{ status: number; text: string }> {
  const reply = await fetch(url, { headers });
  return { status: reply.status, text: await reply.text() };
}
