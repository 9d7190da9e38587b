// The package of the command, unpacked into an empty directory, as an ordinary Node runs it.

import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { buildPackages } from "@dari/packaging";

const execute = promisify(execFile);
const root = path.resolve(import.meta.dirname, "../../..");
let directory: string;
let command: string;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "dari-packages-"));
  await buildPackages(root, directory);
  await execute("tar", ["-xzf", "dari-cli.tgz"], { cwd: directory });
  command = path.join(directory, "package/dari.cjs");
});

afterAll(() => rm(directory, { recursive: true, force: true }));

function dari(args: readonly string[], input = ""): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const env = { PATH: process.env["PATH"], HOME: directory, DARI_API_URL: "http://127.0.0.1:1", DARI_API_KEY: "k" };
  const running = execute(process.execPath, [...args], { cwd: directory, env });
  running.child.stdin?.end(input);
  return running;
}

test("it is one file with its documents, and names no package of this repository", async () => {
  const files = await readdir(path.join(directory, "package"));
  expect(files.sort()).toEqual(["LICENSE", "README.md", "THIRD_PARTY_NOTICES", "dari.cjs", "package.json"]);
  const manifest = JSON.parse(await readFile(path.join(directory, "package/package.json"), "utf8")) as object;
  expect(manifest).toMatchObject({ name: "@dari/cli", bin: { dari: "dari.cjs" }, engines: { node: ">=20" } });
  expect(manifest).not.toHaveProperty("dependencies");
  expect(manifest).not.toHaveProperty("private");
  const notices = await readFile(path.join(directory, "package/THIRD_PARTY_NOTICES"), "utf8");
  expect(notices).toMatch(/^commander \d+.*\(MIT\)$/m);
});

test("the same sources give the same bytes", async () => {
  const again = path.join(directory, "again");
  await buildPackages(root, again);
  const index = await readFile(path.join(directory, "index.json"), "utf8");
  expect(await readFile(path.join(again, "index.json"), "utf8")).toBe(index);
});

test("it runs outside a checkout", async () => {
  expect((await dari([command, "--help"])).stdout).toContain("Usage: dari [options] [command]");
  await dari([command, "init", "agent"]);
  expect((await dari([command, "manifest", "validate", "agent"])).stdout).toContain("is valid");
  expect((await dari([command, "deploy", "agent", "--dry-run"])).stdout).toContain("dari.yml");
});

test("it serves the tools of MCP", async () => {
  const clientInfo = { name: "test", version: "1" };
  const initialize = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo };
  const calls = [
    { id: 1, method: "initialize", params: initialize },
    { method: "notifications/initialized" },
    { id: 2, method: "tools/list" },
  ];
  const input = calls.map((call) => `${JSON.stringify({ jsonrpc: "2.0", ...call })}\n`).join("");
  const { stdout } = await dari([command, "mcp"], input);
  expect(stdout).toContain('"serverInfo":{"name":"dari"');
  expect(stdout).toContain('"name":"send_message"');
});

test("an old Node prints in one line what to run", async () => {
  const old = path.join(directory, "old.cjs");
  await writeFile(old, 'Object.defineProperty(process.versions, "node", { value: "18.20.2" });\n');
  const refused = await dari(["--require", old, command, "--help"]).catch((error: unknown) => error);
  const found = `this is Node 18.20.2 (${process.execPath})`;
  const stderr = `dari needs Node 20 or newer; ${found}. Run: npx --yes --package=node@22 -- dari\n`;
  expect(refused).toMatchObject({ code: 2, stdout: "", stderr });
});
