// Measures how many turns per second more workers handle on one machine, with agents that wait as for a model, each in
// its own sandbox. Expected: slots ÷ waiting time, and twice as much with twice as many workers, until starting
// sandboxes uses up the machine's processors; the share of the ideal and the processor time per turn show which.
//
//   npm run lab -- bench/scale [--workers 1,2,4] [--slots 10] [--wait 2] [--for 15] [--smoke]
//
// --slots: concurrent turns per worker; --wait: seconds that an agent waits; --for: seconds of the measurement.

import path from "node:path";
import { freePort } from "@dari/embedded";
import { createTestOrganization } from "@dari/testkit";
import { deployFiles } from "../deploy-files.ts";
import { readFlags } from "../flags.ts";
import type { Program } from "../program.ts";
import { createSessions, openContestant, platformEnvironment, startProgramOnStack } from "./contestant.ts";
import { cpuMsOf } from "./cpu-time.ts";
import { collectStatistics, startServers, type Servers } from "./servers.ts";
import { sendTurns } from "./turn-load.ts";
import { report } from "./verdict.ts";

const flags = readFlags({
  workers: { type: "string", default: "1,2,4" },
  slots: { type: "string", default: "10" },
  wait: { type: "string", default: "2" },
  for: { type: "string", default: "15" },
  smoke: { type: "boolean", default: false },
});
const { smoke } = flags.values;
const waitSeconds = smoke ? 0.5 : (flags.number("wait", 0.1) ?? 2);
const parameters = {
  workers: smoke ? [1, 2] : countsOf(flags.values.workers),
  slots: smoke ? 2 : flags.whole("slots"),
  wait_seconds: waitSeconds,
  measured_seconds: smoke ? 2 : flags.whole("for"),
  sessions: smoke ? 50 : 2_000,
};

interface Figures {
  readonly workers: number;
  readonly slots: number;
  readonly turns: number;
  readonly turns_per_second: number;
  /** Slots ÷ waiting time. */
  readonly ideal_per_second: number;
  readonly share_of_ideal: number;
  /** POST to reply without the agent's waiting: the median, in milliseconds. */
  readonly beside_the_agent_ms: number;
  /** Milliseconds of processor time per turn. */
  readonly cpu_ms: Readonly<Record<string, number>>;
  /** Number of processors used by everything together. */
  readonly cores_used: number;
}

interface Fleet {
  readonly servers: Servers;
  readonly api: { readonly name: string; readonly apiUrl: string; readonly apiKey: string };
  readonly sessionIds: readonly string[];
  readonly pids: Readonly<Record<string, number>>;
  readonly workers: Program[];
  addWorker(): Promise<void>;
}

const agent = {
  "dari.yml": "{name: waits, sdk: opencode, entrypoint: 'agent.js:agent', runtime: {language: typescript}}",
  "package.json": '{"type":"module"}',
  "agent.js": `export const agent = async () => {
  await new Promise((resolve) => setTimeout(resolve, ${waitSeconds * 1_000}));
  return "ok";
};
`,
};

await using fleet = await startFleet();
const results: Figures[] = [];
for (const count of parameters.workers) {
  while (fleet.workers.length < count) await fleet.addWorker();
  await send(count, 2);
  await collectStatistics(fleet.servers);
  const figures = await measure(count);
  process.stderr.write(`${JSON.stringify(figures)}\n`);
  results.push(figures);
}
report({ name: "scale", parameters, result: results, gates: [], smoke });

function countsOf(text: string): number[] {
  const counts = text.split(",").map(Number);
  const isRising = counts.every((count, i) => Number.isSafeInteger(count) && count > (counts[i - 1] ?? 0));
  return isRising ? counts : flags.refuse(`--workers is rising whole numbers with commas, not ${text}`);
}

/** Enough clients that every slot is taken again at once. */
function send(workers: number, seconds: number): Promise<number[]> {
  const slots = workers * parameters.slots;
  const turns = Math.max(slots, Math.round((slots / waitSeconds) * seconds));
  return sendTurns({ ...fleet.api, sessionIds: fleet.sessionIds }, { connections: Math.ceil(slots * 1.25), turns });
}

async function measure(workers: number): Promise<Figures> {
  const before = cpuOf();
  const startedAt = performance.now();
  const samples = (await send(workers, parameters.measured_seconds)).sort((a, b) => a - b);
  const seconds = (performance.now() - startedAt) / 1_000;
  const after = cpuOf();
  const used = Object.entries(after).map(([name, ms]) => [name, ms - (before[name] ?? 0)] as const);
  const slots = workers * parameters.slots;
  const perSecond = samples.length / seconds;
  const ideal = slots / waitSeconds;
  return {
    ...{ workers, slots, turns: samples.length },
    turns_per_second: round(perSecond),
    ideal_per_second: round(ideal),
    share_of_ideal: round(perSecond / ideal),
    beside_the_agent_ms: Math.round((samples[samples.length >> 1] ?? 0) - waitSeconds * 1_000),
    cpu_ms: Object.fromEntries(used.map(([name, ms]) => [name, round(ms / samples.length)])),
    cores_used: round(used.reduce((sum, [, ms]) => sum + ms, 0) / 1_000 / seconds),
  };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** Returns what each process has used so far, including ended children; sandboxes count for their workers. */
function cpuOf(): Record<string, number> {
  const servers = Object.entries(fleet.pids).map(([name, pid]) => [name, cpuMsOf(pid)] as const);
  const workers = fleet.workers.reduce((sum, { pid }) => sum + cpuMsOf(pid), 0);
  return { ...Object.fromEntries(servers), workers_and_sandboxes: workers };
}

function startFleet(): Promise<Fleet & AsyncDisposable> {
  return openContestant("scale", async (dir, stack) => {
    const servers = await startServers(dir, stack);
    const port = await freePort();
    const env = environmentOf(dir, servers, port);
    const start = (name: string, kind: string, own: Readonly<Record<string, string>> = {}): Promise<Program> =>
      startProgramOnStack(stack, {
        ...{ name, entry: `apps/${kind}/src/main.ts`, dir, readyWhen: /\.started/ },
        env: { ...env, ...own },
      });
    const { organizationId, apiKey } = await createTestOrganization(servers.db);
    const api = await start("api", "api");
    const reconciler = await start("reconciler", "reconciler");
    const workers: Program[] = [];
    const addWorker = async (): Promise<void> => {
      const name = `worker-${workers.length + 1}`;
      workers.push(await start(name, "worker", { DARI_WORK_DIR: path.join(dir, name) }));
    };
    await addWorker();
    const apiUrl = `http://127.0.0.1:${port}`;
    const { agentId } = await deployFiles({ apiUrl, apiKey }, agent);
    const sessionIds = await createSessions(servers, { organizationId, agentId }, parameters.sessions);
    const pids = { ...servers.pids, api: api.pid, reconciler: reconciler.pid };
    return { servers, api: { name: "dari", apiUrl, apiKey }, sessionIds, pids, workers, addWorker };
  });
}

function environmentOf(dir: string, servers: Servers, port: number): Record<string, string> {
  return {
    ...platformEnvironment(dir, servers, port),
    DARI_WORKER_SLOTS: String(parameters.slots),
    // A waiting agent uses little of its limit.
    DARI_TURN_RESERVED_MB: "64",
  };
}
