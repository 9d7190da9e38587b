// Measures how many turns wait for a model at the same time on this machine, with the default settings of `npm start`:
// what each holds, what they cost while they wait, how long another organization's short turn takes then, and whether
// the worker keeps its leases when all of them wake at the same moment.
//
//   npm run lab -- bench/density [--turns 100] [--slots N] [--agents function,openai-agents,python] [--tree PATH]
//                                [--smoke]
//
// --turns: sessions with one message each, all sent at once. --slots: DARI_WORKER_SLOTS. --tree: another checkout, to
// compare. A local model server answers when all wait, or when no further turn has started for half a minute. The
// memory is the change of MemAvailable, so it needs a quiet machine.

import { readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient, type Client } from "@dari/client";
import { startOpenaiServer } from "@dari/testkit";
import { deployFiles } from "../deploy-files.ts";
import { descendantsOf } from "../processes.ts";
import { readFlags } from "../flags.ts";
import { checkout } from "../program.ts";
import { startStandalone } from "../standalone-process.ts";
import { cpuMsOf } from "./cpu-time.ts";
import { summarizeSpread, type Spread } from "./statistics.ts";
import { gate, report } from "./verdict.ts";

const flags = readFlags({
  turns: { type: "string", default: "100" },
  slots: { type: "string", default: "0" },
  agents: { type: "string", default: "function,openai-agents,python" },
  tree: { type: "string", default: checkout },
  smoke: { type: "boolean", default: false },
});
const { smoke } = flags.values;
const turns = smoke ? 12 : flags.whole("turns");
const slots = flags.whole("slots", 0);
const waitSeconds = smoke ? 2 : 20;
/** Short turns of another organization: alone, and while the others wait. */
const shortTurns = smoke ? 3 : 20;
const stalledMs = 30_000;
/** Sessions and messages that are created at the same time. */
const senders = 16;
/** The gates of a waiting turn, in MB. */
const mostMb: Readonly<Record<string, number>> = { function: 5, "openai-agents": 8, python: 4 };

const typescript = "runtime: {language: typescript}\nenv: {OPENAI_BASE_URL: MODEL, OPENAI_API_KEY: none}\n";
const agents: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  function: {
    "dari.yml": `name: function\nsdk: opencode\nentrypoint: agent.js:agent\n${typescript}`,
    "package.json": '{"type":"module"}',
    "agent.js": `export async function agent(prompt) {
  const body = JSON.stringify({ model: "m", messages: [{ role: "user", content: prompt }] });
  const headers = { "content-type": "application/json" };
  const reply = await fetch("MODEL/chat/completions", { method: "POST", headers, body });
  return (await reply.json()).choices[0].message.content;
}
`,
  },
  "openai-agents": {
    "dari.yml": `name: sdk\nsdk: openai-agents\nentrypoint: agent.js:agent\n${typescript}`,
    "package.json": '{"type":"module","dependencies":{"@openai/agents":"0.20.0","zod":"4.6.7"}}',
    "agent.js": `import { Agent, setTracingDisabled } from "@openai/agents";
setTracingDisabled(true);
export const agent = new Agent({ name: "helper", instructions: "Help.", model: "m" });
`,
  },
  python: {
    "dari.yml": [
      "name: python\nsdk: openai-agents\nentrypoint: agent.py:agent",
      "env: {OPENAI_BASE_URL: MODEL}\n",
    ].join("\n"),
    "agent.py": `import json, os, urllib.request
def agent(prompt):
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": prompt}]}).encode()
    url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)["choices"][0]["message"]["content"]
`,
  },
};
const shortAgent = {
  "dari.yml": "name: short\nsdk: opencode\nentrypoint: agent.js:agent\nruntime: {language: typescript}\n",
  "package.json": '{"type":"module"}',
  "agent.js": "export const agent = (prompt) => prompt;\n",
};

let parked = 0;
let released = Promise.resolve();
const model = await startOpenaiServer(async () => {
  parked += 1;
  await released;
  return { text: "ok" };
});
await using _model = model;
const environment = {
  DARI_EGRESS_ALLOW: `127.0.0.1:${model.port}`,
  ...(slots === 0 ? {} : { DARI_WORKER_SLOTS: String(slots) }),
};
await using platform = await startStandalone(environment, undefined, undefined, path.resolve(flags.values.tree));
const client = createClient(platform);
const made = await client.createOrganization({ name: "other" });
const other = { apiUrl: platform.apiUrl, apiKey: made.api_key! };
const otherClient = createClient(other);
const { agentId: shortId } = await deployFiles(other, shortAgent);
await measureShortTurns(3);
const idleShort = await measureShortTurns(shortTurns);

const results: Record<string, Awaited<ReturnType<typeof measure>>> = {};
for (const name of flags.values.agents.split(",")) {
  const files = agents[name] ?? flags.refuse(`--agents: no agent ${name}; there are ${Object.keys(agents).join(", ")}`);
  results[name] = await measure(files);
  process.stderr.write(`${name}: ${JSON.stringify(results[name])}\n`);
}
const gates = Object.entries(results).flatMap(([name, found]) => [
  gate(`${name}: turns that did not wait at the same time`, turns - found.waited, 0),
  gate(`${name}: messages that did not complete`, found.failed, 0),
  gate(`${name}: leases lost`, found.leases_lost, 0),
  gate(`${name}: MB of a waiting turn`, found.mb_per_turn, mostMb[name] ?? 8),
]);
const parameters = { turns, slots, wait_seconds: waitSeconds };
report({ name: "density", parameters, result: { idle_short_turn_ms: idleShort, ...results }, gates, smoke });

async function measure(files: Readonly<Record<string, string>>) {
  const named = Object.entries(files).map(([name, text]) => [name, text.replace("MODEL", `${model.url}/v1`)] as const);
  const { agentId } = await deployFiles(platform, Object.fromEntries(named));
  // The first turns load the agent, and its template.
  for (let n = 0; n < 4; n++) await runTurn(client, agentId);
  await sleep(3_000);
  const before = { available: readMemory(), pss: pssOfPlatform() };
  const hold = Promise.withResolvers<void>();
  [parked, released] = [0, hold.promise];
  const startedAt = performance.now();
  const messages = sendAll(agentId);
  const waited = await countWaiting();
  const startSeconds = (performance.now() - startedAt) / 1_000;
  await sleep(smoke ? 500 : 5_000);
  const perTurn = (bytes: number): number => round(bytes / Math.max(1, waited) / 1e6);
  const mbPerTurn = perTurn(before.available - readMemory());
  const pssPerTurn = perTurn(pssOfPlatform() - before.pss);
  const cpuBefore = cpuMsOf(platform.program.pid);
  await sleep(waitSeconds * 1_000);
  const cpuMs = (cpuMsOf(platform.program.pid) - cpuBefore) / waitSeconds;
  const short = await measureShortTurns(shortTurns);
  const lostBefore = countLostLeases();
  const wokenAt = performance.now();
  released = Promise.resolve();
  hold.resolve();
  const failed = await countFailed(await messages);
  return {
    waited,
    start_seconds: round(startSeconds),
    failed,
    wake_seconds: round((performance.now() - wokenAt) / 1_000),
    leases_lost: countLostLeases() - lostBefore,
    mb_per_turn: mbPerTurn,
    pss_mb_per_turn: pssPerTurn,
    cpu_ms_per_second_while_waiting: Math.round(cpuMs),
    short_turn_of_another_organization_ms: short,
  };
}

/** Returns the ids of the messages. */
async function sendAll(agentId: string): Promise<string[]> {
  const ids: string[] = [];
  let left = turns;
  const send = async (): Promise<void> => {
    while (left-- > 0) {
      const { id } = await client.createSession(agentId);
      ids.push((await client.sendMessageAsync(id, { parts: [{ type: "text", text: "hello" }] })).id);
    }
  };
  await Promise.all(Array.from({ length: senders }, send));
  return ids;
}

/** Waits for the end of each message. Returns how many did not complete. */
async function countFailed(ids: readonly string[]): Promise<number> {
  let failed = 0;
  for (const id of ids) if ((await client.waitForMessage(id)).status !== "completed") failed += 1;
  return failed;
}

/** Counts the turns so far for which the worker could not renew its lease in time. */
function countLostLeases(): number {
  return readFileSync(path.join(platform.dataDir, "logs/dari.log"), "utf8").split('"lease.lost"').length - 1;
}

/** Resolves when all turns wait, or when no further one has begun to for a while. */
async function countWaiting(): Promise<number> {
  for (let [seen, since] = [-1, 0]; ;) {
    if (parked !== seen) [seen, since] = [parked, performance.now()];
    if (parked >= turns || performance.now() - since > stalledMs) return parked;
    await sleep(100);
  }
}

async function measureShortTurns(count: number): Promise<Spread> {
  const samples: number[] = [];
  for (let n = 0; n < count; n++) {
    const startedAt = performance.now();
    await runTurn(otherClient, shortId);
    samples.push(performance.now() - startedAt);
  }
  return summarizeSpread(samples);
}

async function runTurn(by: Client, agentId: string): Promise<void> {
  const { id } = await by.createSession(agentId);
  const message = await by.sendMessage(id, { parts: [{ type: "text", text: "hello" }] });
  if (message.status !== "completed") throw new Error(`the message ended as ${message.status}`);
}

/** Returns MemAvailable, in bytes. */
function readMemory(): number {
  return Number(/^MemAvailable:\s+(\d+)/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1]) * 1024;
}

/** Returns the proportional memory of the platform's processes, sandboxes included, in bytes. */
function pssOfPlatform(): number {
  const { pid } = platform.program;
  return [pid, ...descendantsOf(pid)].reduce((sum, one) => sum + pssOf(one), 0);
}

function pssOf(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
