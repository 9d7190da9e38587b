// Agents that `dari init` writes: their packages can be installed, their types hold, and their own tests pass.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createReadStream, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { dari } from "../src/curl.ts";
import { checkout } from "../src/program.ts";
import { pythonEnvironment, runOrThrow } from "../src/python-environment.ts";

const dir = mkdtempSync(join(tmpdir(), "dari-init-"));
let packages: Server;
let apiUrl: string;

/** Serves the packages of this release, as a platform does. */
beforeAll(async () => {
  await runOrThrow(process.execPath, [join(checkout, "scripts/run.mjs"), "packages"]);
  packages = createServer((request, response) => {
    const file = join(checkout, "packages/packaging/dist", basename(request.url ?? ""));
    createReadStream(file)
      .on("error", () => response.writeHead(404).end())
      .pipe(response);
  });
  await new Promise<void>((resolve) => packages.listen(0, "127.0.0.1", resolve));
  apiUrl = `http://127.0.0.1:${(packages.address() as AddressInfo).port}`;
}, 180_000);
afterAll(() => {
  packages.closeAllConnections();
  packages.close();
  rmSync(dir, { recursive: true, force: true });
});

async function init(language: string, kind: string): Promise<string> {
  const name = `${language}-${kind}`;
  await dari(["init", name, "--language", language, "--kind", kind], { apiUrl, apiKey: "none", cwd: dir });
  return join(dir, name);
}

test.each(["function", "openai-agents", "claude-agent-sdk", "pi", "opencode"])(
  "%s in TypeScript",
  async (kind) => {
    const cwd = await init("typescript", kind);
    // The programs of these SDKs have hundreds of megabytes, and no types. What the other one imports is optional.
    const omitted = kind === "openai-agents" ? [] : ["--omit=optional"];
    const flags = ["--ignore-scripts", ...omitted, "--prefer-offline", "--no-audit", "--no-fund"];
    await runOrThrow("npm", ["install", ...flags, "--loglevel=error"], { cwd });
    await runOrThrow("npm", ["run", "typecheck"], { cwd });
    const { stdout } = await runOrThrow("npm", ["test"], { cwd });
    expect(stdout).toMatch(/pass [12]\n[^]*fail 0\n/);
  },
  300_000,
);

test.each(["function", "openai-agents", "claude-agent-sdk"])(
  "%s in Python",
  async (kind) => {
    const cwd = await init("python", kind);
    const python = join(cwd, ".venv/bin/python");
    await runOrThrow("python3", ["-m", "venv", ".venv"], { cwd });
    const file = kind === "function" ? "requirements-dev.txt" : "requirements.txt";
    await runOrThrow(python, ["-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", file], { cwd });
    const { program } = await pythonEnvironment("client", ["httpx==0.28.1", "mypy==2.4.1", "hatchling==1.33.0"]);
    await runOrThrow(program("mypy"), ["--check-untyped-defs", "--python-executable", python, "agent.py"], { cwd });
    const { stderr } = await runOrThrow(python, ["-B", "test_agent.py"], { cwd });
    expect(stderr).toMatch(/Ran [12] tests? [^]*\nOK\n/);
  },
  300_000,
);
