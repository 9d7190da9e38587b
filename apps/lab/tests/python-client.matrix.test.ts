// The Python client as its users install it: its types, its own tests, and calls to a running platform.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manifestFile } from "../src/conversation.ts";
import { run, type ProgramOutput } from "../src/curl.ts";
import { deployFiles } from "../src/deploy-files.ts";
import { checkout } from "../src/program.ts";
import { pythonEnvironment, runOrThrow, type PythonEnvironment } from "../src/python-environment.ts";
import { startStandalone, type StandaloneProcess } from "../src/standalone-process.ts";

const packageDir = join(checkout, "packages/client-python");
const echo = {
  ...manifestFile({ entrypoint: "agent.mjs:agent" }),
  "agent.mjs": `import { writeFileSync } from "node:fs";
    export function agent(prompt) {
      console.log("printed", prompt);
      writeFileSync("said.txt", prompt);
      return prompt;
    }`,
};

const dir = mkdtempSync(join(tmpdir(), "dari-python-"));
let python: PythonEnvironment;
let platform: StandaloneProcess;

beforeAll(async () => {
  python = await pythonEnvironment("client", ["httpx==0.28.1", "mypy==2.4.1", "hatchling==1.33.0"]);
  const install = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--no-cache-dir", "--target", dir];
  await runOrThrow(python.program("pip"), [...install, packageDir]);
  platform = await startStandalone();
}, 300_000);

afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
}, 120_000);

function runTests(module: string, env: Readonly<Record<string, string>> = {}): Promise<ProgramOutput> {
  return run(python.program("python"), ["-m", "unittest", "-v", module], {
    cwd: join(packageDir, "tests"),
    env: { PYTHONPATH: dir, PYTHONDONTWRITEBYTECODE: "1", ...env },
  });
}

test("the types pass", async () => {
  const { code, stdout } = await run(python.program("mypy"), ["--cache-dir", join(dir, ".mypy")], { cwd: packageDir });
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^Success/) });
}, 180_000);

test("refusals that pass and streams that break off", async () => {
  const { code, stderr } = await runTests("test_broken_connections");
  expect(stderr).toMatch(/Ran [1-9]\d* tests [\s\S]*\nOK/);
  expect(code).toBe(0);
}, 120_000);

test("everything that it does to a running platform", async () => {
  const { agentId } = await deployFiles(platform, echo);
  const { apiUrl, apiKey } = platform;
  const { code, stderr } = await runTests("test_platform", {
    DARI_API_URL: apiUrl,
    DARI_API_KEY: apiKey,
    DARI_AGENT_ID: agentId,
  });
  expect(stderr).toMatch(/Ran [1-9]\d* tests [\s\S]*\nOK/);
  expect(code).toBe(0);
}, 180_000);
