// Measures what a turn costs: processor time of everything and by process, turns a second and latency with 1 to 32
// clients, memory while turns wait for a model, what a platform at rest uses, and POST to reply beside the bare start
// of an interpreter. Real agents run in the machine's sandbox on one standalone platform: a JavaScript and a Python
// function that answer at once, and @openai/agents with a local model server.
//
//   npm run lab -- bench/turn-cost [--smoke] [--only cpu,latency,memory,idle,worker] [--agents javascript,python,...]
//
// --tree DIR: measures the platform of another checkout, installed there by `npm run dari -- --help`. Measure both
//   trees in one session to compare them.
// --set NAME=VALUE,...: settings of the platform.
// --turns: of one measurement with the most clients; --sessions: old sessions of an agent, at least 32; --rounds: of
//   `latency`; --slots: the most turns that wait at once; --rest: seconds between the start and `idle` or `worker`;
//   --seconds: of these two. `worker` is always that of this checkout.
// --agents also knows javascript-reuse and python-reuse, with `reuse: session`.
//
// Expected, with forked agents: a turn costs a few times its database statements (7 ms), a waiting turn the memory that
// it writes to (4 MB), and at rest timers are left. The tables are printed to standard error.

import { execFileSync } from "node:child_process";
import path from "node:path";
import { programEnvironment } from "../config.ts";
import { readFlags } from "../flags.ts";
import { checkout } from "../program.ts";
import { exitOnSignal } from "../ship/exit-on-signal.ts";
import { agentNames, usualAgents, type AgentName } from "./turn-cost/agents.ts";
import { measureCpu } from "./turn-cost/cpu.ts";
import { openCpuMeter } from "./turn-cost/cpu-meter.ts";
import { measureIdle } from "./turn-cost/idle.ts";
import { measureIdleWorker } from "./turn-cost/idle-worker.ts";
import { measureLatency } from "./turn-cost/latency.ts";
import { measureMemory } from "./turn-cost/memory.ts";
import { openStage } from "./turn-cost/stage.ts";
import { tablesOf } from "./turn-cost/table.ts";
import { gatesOf, targetsOf, type Results } from "./turn-cost/targets.ts";
import { report } from "./verdict.ts";

const flags = readFlags({
  smoke: { type: "boolean", default: false },
  only: { type: "string", default: "cpu,latency,memory,idle,worker" },
  agents: { type: "string", default: usualAgents.join(",") },
  tree: { type: "string", default: "" },
  set: { type: "string", default: "" },
  turns: { type: "string", default: "320" },
  sessions: { type: "string", default: "32" },
  rounds: { type: "string", default: "50" },
  slots: { type: "string", default: "1000" },
  rest: { type: "string", default: "60" },
  seconds: { type: "string", default: "60" },
});
const { values } = flags;
const { smoke } = values;
const only = wordsOf("only", ["cpu", "latency", "memory", "idle", "worker"] as const);
const agents: readonly AgentName[] = wordsOf("agents", agentNames);
const tree = values.tree === "" ? checkout : path.resolve(programEnvironment()["INIT_CWD"] ?? ".", values.tree);
const settings = Object.fromEntries(values.set.split(",").filter(Boolean).map(settingOf));
const parameters = {
  tree: execFileSync("git", ["-C", tree, "rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim(),
  user: process.geteuid?.(),
  settings,
  clients: smoke ? [4] : [1, 4, 16, 32],
  turns: smoke ? 8 : flags.whole("turns"),
  old_sessions: smoke ? 4 : flags.whole("sessions", 32),
  rounds: smoke ? 2 : flags.whole("rounds"),
  waiting: smoke ? [4] : [10, 100],
  slots: smoke ? 8 : flags.whole("slots", 100),
  rest_seconds: smoke ? 0 : flags.whole("rest", 0),
  idle_seconds: smoke ? 5 : flags.whole("seconds"),
};
const burnMs = smoke ? 300 : 1_000;

function wordsOf<const T extends string>(flag: "only" | "agents", known: readonly T[]): T[] {
  const words = values[flag].split(",");
  const unknown = words.find((word) => !known.includes(word as T));
  if (unknown !== undefined) flags.refuse(`--${flag}: there is no ${unknown}; choose from ${known.join(", ")}`);
  return words as T[];
}

function settingOf(text: string): [name: string, value: string] {
  const [name = "", ...value] = text.split("=");
  return /^[A-Z][A-Z0-9_]*$/.test(name) && value.length > 0
    ? [name, value.join("=")]
    : flags.refuse(`--set is NAME=VALUE with commas, not ${text}`);
}

await using stack = new AsyncDisposableStack();
exitOnSignal(stack);
const { meter, burnerMs } = await openCpuMeter(burnMs);
stack.use(meter);
const stage = await openStage(stack, { meter, agents, checkout: tree, settings });
const { clients, turns, old_sessions: oldSessions, waiting: counts, slots } = parameters;
const { rest_seconds: restSeconds, idle_seconds: seconds } = parameters;
const most = smoke ? undefined : slots;

const results: Results = {
  ...(await part("cpu", () => measureCpu(stage, { clients, turns, oldSessions }))),
  ...(await part("latency", () => measureLatency(stage, { rounds: parameters.rounds, warmUps: smoke ? 1 : 3 }))),
  ...(await part("memory", () => measureMemory(stage, { slots, counts, most }))),
  ...(await part("idle", () => measureIdle({ meter, checkout: tree, settings, restSeconds, seconds, stack }))),
  ...(await part("worker", () => measureIdleWorker({ restSeconds, seconds, stack }))),
};

/** Measures a part of the results unless it is left out, and says how long that took. */
async function part<P extends keyof Results>(name: P, measure: () => Promise<Results[P]>): Promise<Partial<Results>> {
  if (!only.includes(name)) return {};
  const startedAt = performance.now();
  const measured = await measure();
  process.stderr.write(`${name} was measured in ${Math.round((performance.now() - startedAt) / 1_000)} s\n`);
  return { [name]: measured };
}

const targets = targetsOf(results);
process.stderr.write(tablesOf(results, targets));
const burner = { asked_ms: burnMs, counted_ms: Math.round(burnerMs) };
report({
  name: "turn-cost",
  parameters: { ...parameters, counted_by: meter.kind, burner },
  result: results,
  gates: gatesOf(targets),
  smoke,
});
