// The Python package: its own tests, its command, and the limits that it repeats.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { guestLimits } from "@dari/harness/local";

const source = fileURLToPath(new URL("../../agent-python/src", import.meta.url));
const tests = fileURLToPath(new URL("../../agent-python/tests", import.meta.url));

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "dari-agent-python-"));
  await writeFile(join(dir, "dari.yml"), 'name: x\nentrypoint: "agent.py:agent"\n');
  const agent = `
import os

def agent(prompt, context):
    context.emit("seen", {"turns": len(context.history) / 2, "key": os.environ.get("MODEL_KEY")})
    return f"{prompt} {context.request_input('go-on', {'type': 'object'}, 'Go on?')['approved']} {len(context.parts)}"
`;
  await writeFile(join(dir, "agent.py"), agent);
  await writeFile(join(dir, ".env"), 'export MODEL_KEY="from-file"\n');
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function python(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const env = { PATH: process.env["PATH"], PYTHONPATH: source, PYTHONDONTWRITEBYTECODE: "1" };
  return spawnSync("python3", args, { cwd: dir, encoding: "utf8", env, input: "" });
}

test("its own tests", () => {
  const { status, stderr } = python(join(tests, "test_local.py"));
  expect([status, stderr.replace(/[^]*\n(?=OK|FAILED)/, "")]).toEqual([0, "OK\n"]);
});

test("an exported agent of openai-agents runs with the platform's maximum of model requests", () => {
  // The SDK is replaced, so that it says what it was asked to do.
  const program = `
import sys, types
for name in ["agents.usage", "openai", "openai.types", "openai.types.responses"]:
    sys.modules[name] = types.ModuleType(name)
import agents
sys.modules["agents.usage"].Usage = type("Usage", (), {})
sys.modules["openai.types.responses"].response_usage = None
from dari_agent.local import run_locally

def run_streamed(cls, agent, given, **options):
    raise RuntimeError(f"max_turns: {options['max_turns']}")

agents.Runner.run_streamed = classmethod(run_streamed)
print(run_locally(agents.Agent(name="A"), "hi", sdk="openai-agents").error["message"])
`;
  const sdk = fileURLToPath(new URL("../../harness/tests/agents/openai-python", import.meta.url));
  const found = python("-c", `import sys; sys.path.insert(0, ${JSON.stringify(sdk)})\n${program}`);
  expect(found).toMatchObject({ stdout: "RuntimeError: max_turns: 100\n" });
});

test("the command runs one turn after the other of one session", () => {
  const run = (...args: string[]) => python("-m", "dari_agent", "run", ...args);
  const asked = run("pay");
  expect(asked).toMatchObject({ status: 3, stdout: "" });
  expect(asked.stderr).toMatch(/Go on\?\n.*\nRun it again with --answer 'go-on=<json>'/);
  const answer = ["--answer", 'go-on={"approved": true}'];
  expect(run("pay", ...answer, "--file", "dari.yml")).toMatchObject({ status: 0, stdout: "pay True 2\n" });
  const next = run("agent.py:agent", "again", ...answer);
  expect(next).toMatchObject({ status: 0, stderr: '[seen] {"turns": 1.0, "key": "from-file"}\n' });
  expect(run("again", ...answer, "--new").stderr).toContain('"turns": 0.0');
  expect(run("x", "--answer", "y")).toMatchObject({ status: 2, stderr: expect.stringContaining("<key>=<json>") });
});

test("its limits are those of the platform", () => {
  const shown = python("-c", "import dari_agent.local as l, json; print(json.dumps(l._LIMITS))");
  expect(JSON.parse(shown.stdout)).toEqual(guestLimits);
});
