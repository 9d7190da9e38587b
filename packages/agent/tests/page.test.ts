// Every agent of docs/write-an-agent.md runs without a platform and answers what it should, in both languages.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text as bodyOf } from "node:stream/consumers";
import { pageCases, pageModelAnswer, readPageAgents, type PageAgent, type PageCase } from "@dari/testkit/page-agents";
import { runLocally } from "../src/local.ts";

const here = join(import.meta.dirname, "..");
const pythonSource = join(here, "../agent-python/src");
const agents = readPageAgents();

interface Turn {
  readonly text: string;
  readonly parts: readonly unknown[];
  readonly workspace: string;
  readonly usage?: unknown;
  readonly status?: string;
  readonly error?: unknown;
}

let dir: string;
let model: Server;
const asked: { messages: unknown[]; authorization: string | undefined }[] = [];
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "dari-page-"));
  await mkdir(join(dir, "node_modules/@dari"), { recursive: true });
  await symlink(here, join(dir, "node_modules/@dari/agent"));
  model = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const { messages } = JSON.parse(body) as { messages: unknown[] };
      asked.push({ messages, authorization: request.headers.authorization });
      const choices = [{ message: { content: pageModelAnswer } }];
      response.end(JSON.stringify({ choices, usage: { prompt_tokens: 7, completion_tokens: 3 } }));
    });
  });
  await new Promise<void>((resolve) => model.listen(0, "127.0.0.1", resolve));
  process.env["OPENAI_BASE_URL"] = `http://127.0.0.1:${(model.address() as AddressInfo).port}/v1`;
  process.env["OPENAI_API_KEY"] = "sk-page";
});
afterAll(async () => {
  model.close();
  await rm(dir, { recursive: true, force: true });
});

test("the page has every agent in both languages, and a case for each", () => {
  const titles = Object.keys(pageCases).flatMap((title) => [`${title} typescript`, `${title} python`]);
  expect(agents.map(({ title, language }) => `${title} ${language}`)).toEqual(titles);
});

test.each(agents)("$title, in $language", async (agent) => {
  const given = pageCases[agent.title]!;
  const turn = await (agent.language === "python" ? runPython(agent, given) : runTypescript(agent, given));
  expect(turn).toMatchObject({ status: "completed", text: given.text.replace("<key>", "msg_local") });
  if (given.parts !== undefined) {
    expect(JSON.stringify(turn.parts).replace('"report.md"', '"/report.md"')).toBe(JSON.stringify(given.parts));
    expect(await readFile(join(turn.workspace, "report.md"), "utf8")).toBe("/input/a.txt has 2 lines.\n");
  }
  if (agent.title !== "Call a model with a secret") return;
  expect(turn.usage).toEqual({ input_tokens: 7, output_tokens: 3 });
  const messages = [{ role: "user", content: given.prompt }];
  expect(asked.pop()).toEqual({ messages, authorization: "Bearer sk-page" });
});

test("the agents in TypeScript have strict types", async () => {
  const options = { target: "es2024", module: "nodenext", strict: true, noEmit: true, skipLibCheck: true };
  const compilerOptions = { ...options, allowImportingTsExtensions: true, types: ["node"] };
  await writeFile(join(dir, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
  await symlink(join(here, "../../node_modules/@types"), join(dir, "node_modules/@types"));
  const compiler = join(here, "../../node_modules/typescript/bin/tsc");
  const child = spawn(process.execPath, [compiler, "-p", dir], { stdio: ["ignore", "pipe", "inherit"] });
  expect(await bodyOf(child.stdout)).toBe("");
});

async function runTypescript({ title, source }: PageAgent, given: PageCase): Promise<Turn> {
  const file = join(dir, `${title.replaceAll(" ", "-")}.ts`);
  await writeFile(file, source);
  const { agent } = (await import(file)) as { agent: () => string };
  return runLocally(agent, given.prompt, given);
}

/** Prints the turn of the agent that standard input describes. */
const program = `
import dataclasses, json, sys
from dari_agent.local import run_locally
given = json.load(sys.stdin)
turn = run_locally("agent.py:agent", given["prompt"], answers=given.get("answers"), files=given.get("files"))
print(json.dumps(dataclasses.asdict(turn)))
`;

async function runPython({ source }: PageAgent, given: PageCase): Promise<Turn> {
  const cwd = await mkdtemp(join(dir, "python-"));
  await writeFile(join(cwd, "agent.py"), source);
  const env = { ...process.env, PYTHONPATH: pythonSource, PYTHONDONTWRITEBYTECODE: "1" };
  const child = spawn("python3", ["-c", program], { cwd, env, stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(JSON.stringify(given));
  return JSON.parse(await bodyOf(child.stdout)) as Turn;
}
