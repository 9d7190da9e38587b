// The packages as the API serves them: to everyone, found even if they are built later, and nothing else.

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
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

const run = promisify(execFile);

test("a caller on this machine gets the path of the platform's connection, and no other caller does", async () => {
  const connectionFile = path.join(dir, "connection.json");
  const packagesDir = path.join(dir, "dist");
  await using local = await startTestApi({ packagesDir, connectionFile });
  const own = await fetchText(`${local.url}/install.sh`, {});
  expect([own.text.includes(connectionFile), own.cache]).toEqual([true, "no-store"]);
  for (const headers of [{ "x-forwarded-for": "192.0.2.1" }, { forwarded: "for=192.0.2.1" }, { via: "1.1 proxy" }]) {
    const { text, cache } = await fetchText(`${local.url}/install.sh`, headers);
    expect([text.includes(connectionFile), cache]).toEqual([false, "public, max-age=300"]);
  }
  const rebound = await run("curl", ["-s", "-H", "Host: dari.example.com", `${local.url}/install.sh`]);
  expect(rebound.stdout).toContain("platform='http://dari.example.com'");
  expect(rebound.stdout).not.toContain(connectionFile);
  Object.assign(local.control, { publicUrl: "https://dari.example.com" });
  expect((await fetchText(`${local.url}/install.sh`, {})).text).not.toContain(connectionFile);
});

test("the script remembers the platform, and its connection if its user can read it", async () => {
  // What a shell and JSON would read as their own.
  const folder = path.join(dir, `it's "$(touch ${dir}/taken)" \\`);
  const connectionFile = path.join(folder, "connection.json");
  const packagesDir = path.join(dir, "built");
  await mkdir(path.join(packagesDir, "package"), { recursive: true });
  const program = '#!/usr/bin/env node\nconsole.log("1.2.3");\n';
  await writeFile(path.join(packagesDir, "package", "dari.cjs"), program, { mode: 0o755 });
  await run("tar", ["-czf", "dari-cli.tgz", "package"], { cwd: packagesDir });
  const row = { name: "n", version: "1.2.3", file: "dari-cli.tgz", sizeBytes: 1, sha256: "hash" };
  await writeFile(path.join(packagesDir, "index.json"), JSON.stringify([row]));
  await using local = await startTestApi({ packagesDir, connectionFile });
  const home = path.join(dir, "home");
  const remembered = path.join(home, ".config/dari/platform.json");
  const install = async (): Promise<[string | undefined, unknown]> => {
    const env = { HOME: home, PATH: process.env["PATH"] };
    const { stdout } = await run("sh", ["-c", `curl -fsSL ${local.url}/install.sh | sh`], { env });
    return [/Next: (.*)\n/.exec(stdout)?.[1], JSON.parse(await readFile(remembered, "utf8"))];
  };
  const signIn = `dari auth login --api-url ${local.url}`;
  expect(await install()).toEqual([signIn, { api_url: local.url }]);
  await mkdir(folder, { recursive: true });
  await writeFile(connectionFile, "{}");
  expect(await install()).toEqual(["dari init my-agent", { api_url: local.url, connection_file: connectionFile }]);
  expect((await stat(remembered)).mode & 0o777).toBe(0o600);
  await writeFile(path.join(home, ".config/dari/connection.json"), "a saved sign-in");
  expect((await install())[0]).toBe(signIn);
  expect(await readFile(path.join(home, ".config/dari/connection.json"), "utf8")).toBe("a saved sign-in");
  await expect(stat(path.join(dir, "taken"))).rejects.toThrow("ENOENT");
});

async function fetchText(url: string, headers: Record<string, string>) {
  const reply = await fetch(url, { headers });
  return { status: reply.status, text: await reply.text(), cache: reply.headers.get("cache-control") };
}
