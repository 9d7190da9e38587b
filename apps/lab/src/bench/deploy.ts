// Measures how long `dari deploy` takes for agents with dependencies: cold, and again with only a source changed, so
// that the lockfile is known. Expected: cold takes what the package manager needs to unpack (5 s and more for the
// agents SDK) plus a second for bundling. Again takes unpacking, linking the layer, bundling and one load of the agent
// with its packages: under 3 s each, also for the first, which follows at once.
//
//   node apps/lab/src/bench/deploy.ts [--smoke] [--rounds N]
//
// Agents with dependencies in examples/ are used unchanged, and one for each package manager is always measured.

import { execFile } from "node:child_process";
import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { createClient } from "@dari/client";
import { machineEnvironment } from "../config.ts";
import { readFlags } from "../flags.ts";
import { startStandalone } from "../standalone-process.ts";
import { openContestant } from "./contestant.ts";
import { startBareProcess } from "./one-turn.ts";
import { summarizeSpread, measureMs } from "./statistics.ts";
import { gate, report } from "./verdict.ts";

const cli = path.resolve(import.meta.dirname, "../../../cli/bin/dari.mjs");
const examplesDir = path.resolve(import.meta.dirname, "../../../../examples");
const flags = readFlags({
  smoke: { type: "boolean", default: false },
  rounds: { type: "string", default: "5" },
});
const { smoke } = flags.values;
const rounds = smoke ? 1 : flags.whole("rounds");
const againTargetMs = 3_000;

const sdkAgent = {
  "dari.yml": "name: bench-sdk\nsdk: openai-agents\nentrypoint: src/agent.js:agent\nruntime: {language: typescript}\n",
  "package.json": JSON.stringify({ type: "module", dependencies: { "@openai/agents": "0.20.0" } }),
  "src/agent.js": [
    `import { Agent } from "@openai/agents";`,
    `export const helper = new Agent({ name: "helper", instructions: "Help." });`,
    `export const agent = async (prompt) => helper.name + prompt;`,
  ].join("\n"),
};
const smallAgent = {
  "dari.yml": "name: bench-python\nsdk: openai-agents\nentrypoint: agent.py:agent\n",
  "requirements.txt": "six==1.16.0\n",
  "agent.py": "import six\ndef agent(prompt):\n    return six.__version__\n",
};

const ownAgents: Record<string, Record<string, string>> = { "agents-sdk": sdkAgent, "small-python": smallAgent };

interface Deployment {
  readonly agentId: string;
  readonly total: number;
  readonly build: number;
}

async function deploy(dir: string, api: { apiUrl: string; apiKey: string }): Promise<Deployment> {
  const env = { ...machineEnvironment(), DARI_API_URL: api.apiUrl, DARI_API_KEY: api.apiKey };
  const { stdout } = await promisify(execFile)(process.execPath, [cli, "deploy", dir, "--json"], { env });
  const reply = JSON.parse(stdout) as { agent_id: string; timings_ms: { total: number; build: number } };
  return { agentId: reply.agent_id, total: reply.timings_ms.total, build: reply.timings_ms.build };
}

/** The deployed agent also runs, from the image that a worker assembles. */
async function expectAnswer(agentId: string, api: { apiUrl: string; apiKey: string }): Promise<void> {
  const client = createClient(api);
  const session = await client.createSession(agentId);
  const message = await client.sendMessage(session.id, { parts: [{ type: "text", text: "hi" }] });
  if (message.status !== "completed") throw new Error(`the deployed agent ended as ${JSON.stringify(message.output)}`);
}

/** Cold once, then `rounds` times with a different file each, so that every image is new. */
async function measure(dir: string, api: { apiUrl: string; apiKey: string }) {
  const cold = await deploy(dir, api);
  const again: Deployment[] = [];
  for (let round = 0; round < rounds; round++) {
    await writeFile(path.join(dir, "round.txt"), String(round));
    again.push(await deploy(dir, api));
  }
  // Those of examples/ would need a model.
  if (path.basename(dir) in ownAgents) await expectAnswer(cold.agentId, api);
  return {
    cold_ms: cold.total,
    // Sent as soon as the cold one is ready, while the worker may still finish work for that.
    first_again_ms: again[0]!.total,
    again_ms: summarizeSpread(again.map(({ total }) => total)),
    again_build_ms: summarizeSpread(again.map(({ build }) => build)),
  };
}

/** Examples with dependencies, and the agents of this file. */
async function collectAgents(into: string): Promise<string[]> {
  const names: string[] = [];
  for (const entry of await readdir(examplesDir, { withFileTypes: true })) {
    const from = path.join(examplesDir, entry.name);
    if (!entry.isDirectory() || !(await hasDependencies(from))) continue;
    await cp(from, path.join(into, entry.name), {
      recursive: true,
      filter: (source) => !/\/(node_modules|\.dari|\.venv|__pycache__)(\/|$)/.test(source),
    });
    names.push(entry.name);
  }
  for (const [name, files] of Object.entries(ownAgents)) {
    for (const [file, content] of Object.entries(files)) {
      await mkdir(path.dirname(path.join(into, name, file)), { recursive: true });
      await writeFile(path.join(into, name, file), content);
    }
    names.push(name);
  }
  return smoke ? Object.keys(ownAgents) : names;
}

async function hasDependencies(dir: string): Promise<boolean> {
  const read = (name: string): Promise<string> => readFile(path.join(dir, name), "utf8").catch(() => "");
  return /"dependencies"\s*:/.test(await read("package.json")) || (await read("requirements.txt")).trim() !== "";
}

await using bench = await openContestant("deploy", async (dir, stack) => {
  const platform = stack.use(await startStandalone());
  const agents: Record<string, Awaited<ReturnType<typeof measure>>> = {};
  for (const name of await collectAgents(dir)) agents[name] = await measure(path.join(dir, name), platform);
  const bare: number[] = [];
  for (let i = 0; i < 10; i++) bare.push(await measureMs(() => startBareProcess(process.execPath, ["-e", "0"])));
  return { agents, bare };
});
const { agents, bare } = bench;
report({
  name: "deploy",
  parameters: { rounds },
  // `bare_node_ms` shows the machine's current speed: 25 ms if nothing else runs.
  result: { bare_node_ms: summarizeSpread(bare), agents },
  gates: Object.entries(agents).map(([name, { again_ms }]) =>
    gate(`${name}: slowest redeploy, ms`, again_ms.max, againTargetMs),
  ),
  smoke,
});
