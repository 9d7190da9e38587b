// Measures what a turn costs compared with the bare start of its runtime: POST to reply of a no-op function, idle and
// with 32 clients. Idle twice: `warm` in a session with a preloaded agent; `cold` on a platform without preloading.
// Expected:
// cold about two bare starts of Node (the guest's own start and the isolation around it), warm a fraction of one; with
// 32 clients on few cores the starts queue up, so the rate is cores ÷ start time.
//
//   node apps/lab/src/bench/turn-overhead.ts [--smoke]

import { readFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createRuntimes } from "@dari/builder";
import { createClient, type Client } from "@dari/client";
import { deployFiles } from "../deploy-files.ts";
import { readFlags } from "../flags.ts";
import { startStandalone } from "../standalone-process.ts";
import { sendTurn, startBareProcess, type Api } from "./one-turn.ts";
import { summarizeSpread, measureMs } from "./statistics.ts";
import { report } from "./verdict.ts";

const { smoke } = readFlags({ smoke: { type: "boolean", default: false } }).values;
const rounds = smoke ? 5 : 100;
const clients = smoke ? 4 : 32;
const perClient = smoke ? 2 : 10;

const agents = {
  javascript: {
    "dari.yml": "name: noop-js\nsdk: opencode\nentrypoint: agent.js:agent\nruntime: {language: typescript}\n",
    "package.json": '{"type":"module"}',
    "agent.js": 'export const agent = () => "ok";\n',
  },
  python: {
    "dari.yml": "name: noop-py\nsdk: openai-agents\nentrypoint: agent.py:agent\n",
    "agent.py": 'def agent(prompt):\n    return "ok"\n',
  },
};

async function loaded(api: Api, client: Client, agentId: string) {
  const samples: number[] = [];
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async () => {
      const session = await client.createSession(agentId);
      for (let i = 0; i < perClient; i++) samples.push(await measureMs(() => sendTurn(api, session.id)));
    }),
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  return { ...summarizeSpread(samples), turns_per_second: Math.round((samples.length / seconds) * 10) / 10 };
}

await using platform = await startStandalone({ DARI_LOG_LEVEL: "info" });
await using coldPlatform = await startStandalone({ DARI_LOG_LEVEL: "info", DARI_WARM_SANDBOXES: "0" });
const api = { apiUrl: platform.apiUrl, apiKey: platform.apiKey };
const cold = { apiUrl: coldPlatform.apiUrl, apiKey: coldPlatform.apiKey };
const client = createClient(api);
const js = await deployFiles(api, agents.javascript);
const py = await deployFiles(api, agents.python);
const runtimes = createRuntimes({ cacheDir: path.join(platform.dataDir, "work", "runtimes") });
const python = (await runtimes.resolve("python", undefined)).command;

/** The sandbox for the next turn is preloaded after the last one, while nothing is measured. */
const refillMs = 500;

const series = {
  node_bare: [] as number[],
  python_bare: [] as number[],
  javascript_warm: [] as number[],
  javascript_cold: [] as number[],
  python_warm: [] as number[],
  python_cold: [] as number[],
};
const sessions = {
  js: (await client.createSession(js.agentId)).id,
  py: (await client.createSession(py.agentId)).id,
  coldJs: await coldSession(agents.javascript),
  coldPy: await coldSession(agents.python),
};

async function coldSession(files: Record<string, string>): Promise<string> {
  const { agentId } = await deployFiles(cold, files);
  return (await createClient(cold).createSession(agentId)).id;
}

for (let i = -2; i < rounds; i++) {
  const round = {
    node_bare: await measureMs(() => startBareProcess(process.execPath, ["-e", "0"])),
    javascript_warm: await measureMs(() => sendTurn(api, sessions.js)),
    javascript_cold: await measureMs(() => sendTurn(cold, sessions.coldJs)),
    python_bare: await measureMs(() => startBareProcess(python, ["-c", "pass"])),
    python_warm: await measureMs(() => sendTurn(api, sessions.py)),
    python_cold: await measureMs(() => sendTurn(cold, sessions.coldPy)),
  };
  await sleep(refillMs);
  // The first rounds warm caches and are not counted.
  if (i < 0) continue;
  for (const [name, ms] of Object.entries(round)) series[name as keyof typeof series].push(ms);
}
/** Medians by step of the turns on both platforms, as their workers timed them. */
const steps = { warm: await stepsOf(platform.dataDir), cold: await stepsOf(coldPlatform.dataDir) };

async function stepsOf(dataDir: string): Promise<Record<string, number>> {
  const lines = (await readFile(path.join(dataDir, "logs", "dari.log"), "utf8")).split("\n");
  const finished = lines.filter((line) => line.includes('"turn.finished"'));
  const all = new Map<string, number[]>();
  for (const line of finished) {
    for (const [name, ms] of Object.entries(JSON.parse(line) as Record<string, unknown>)) {
      if (name.endsWith("_ms")) all.set(name, [...(all.get(name) ?? []), Number(ms)]);
    }
  }
  return Object.fromEntries([...all].map(([name, samples]) => [name, summarizeSpread(samples).p50]));
}

const atOnce = { javascript: await loaded(api, client, js.agentId), python: await loaded(api, client, py.agentId) };

report({
  name: "turn-overhead",
  parameters: { rounds, clients, per_client: perClient },
  result: {
    steps_ms: steps,
    turns_ms: Object.fromEntries(Object.entries(series).map(([name, samples]) => [name, summarizeSpread(samples)])),
    [`at_${clients}_clients_ms`]: atOnce,
  },
  gates: [],
  smoke,
});
