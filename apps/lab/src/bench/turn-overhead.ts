// What a turn costs beside the bare start of its runtime: POST to reply of a no-op function, idle and at 32 clients.
// Expected: about two bare starts of Node idle (the guest's own start and the isolation around it); at 32 clients on
// few cores the starts queue up, so the rate is cores ÷ start time.
//
//   node apps/lab/src/bench/turn-overhead.ts [--smoke]

import { spawn } from "node:child_process";
import { createRuntimes } from "@dari/builder";
import { createClient, type Client } from "@dari/client";
import { deployFiles } from "../deploy-files.ts";
import { describeMachine } from "../machine.ts";
import { startStandalone } from "../standalone-process.ts";
import { spreadOf, timed } from "./statistics.ts";
import path from "node:path";

const smoke = process.argv.includes("--smoke");
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

/** The whole life of a process with a clean environment. */
function bareStart(command: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    spawn(command, args, { env: {}, stdio: "ignore" })
      .once("error", reject)
      .once("close", () => resolve());
  });
}

/** One POST that waits for its reply, as a client with `curl` sees it. */
async function turn(api: { apiUrl: string; apiKey: string }, sessionId: string): Promise<void> {
  const response = await fetch(`${api.apiUrl}/v1/sessions/${sessionId}/messages`, {
    method: "POST",
    headers: { authorization: `Bearer ${api.apiKey}`, "content-type": "application/json" },
    body: JSON.stringify({ parts: [{ type: "text", text: "go" }] }),
  });
  const record = (await response.json()) as { status?: string };
  if (record.status !== "completed") throw new Error(`a turn ended as ${JSON.stringify(record)}`);
}

async function loaded(api: { apiUrl: string; apiKey: string }, client: Client, agentId: string) {
  const samples: number[] = [];
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async () => {
      const session = await client.createSession(agentId);
      for (let i = 0; i < perClient; i++) samples.push(await timed(() => turn(api, session.id)));
    }),
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  return { ...spreadOf(samples), turns_per_second: Math.round((samples.length / seconds) * 10) / 10 };
}

await using platform = await startStandalone();
const api = { apiUrl: platform.apiUrl, apiKey: platform.apiKey };
const client = createClient(api);
const js = await deployFiles(api, agents.javascript);
const py = await deployFiles(api, agents.python);
const runtimes = createRuntimes({ cacheDir: path.join(platform.dataDir, "work", "runtimes") });
const python = (await runtimes.resolve("python", undefined)).command;

const series = {
  node_bare: [] as number[],
  python_bare: [] as number[],
  javascript_idle: [] as number[],
  python_idle: [] as number[],
};
const sessions = { js: (await client.createSession(js.agentId)).id, py: (await client.createSession(py.agentId)).id };
for (let i = -2; i < rounds; i++) {
  const round = {
    node_bare: await timed(() => bareStart(process.execPath, ["-e", "0"])),
    javascript_idle: await timed(() => turn(api, sessions.js)),
    python_bare: await timed(() => bareStart(python, ["-c", "pass"])),
    python_idle: await timed(() => turn(api, sessions.py)),
  };
  // The first rounds warm caches and are not counted.
  if (i < 0) continue;
  for (const [name, ms] of Object.entries(round)) series[name as keyof typeof series].push(ms);
}
const atOnce = { javascript: await loaded(api, client, js.agentId), python: await loaded(api, client, py.agentId) };

process.stdout.write(
  `${JSON.stringify({
    name: "turn-overhead",
    machine: describeMachine(),
    parameters: { rounds, clients, per_client: perClient },
    result_ms: Object.fromEntries(Object.entries(series).map(([name, samples]) => [name, spreadOf(samples)])),
    [`at_${clients}_clients_ms`]: atOnce,
  })}\n`,
);
