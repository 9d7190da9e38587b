// What isolation and a turn's workspace add to the start of an agent, and what a sandbox that waits takes off again:
// the worker's own path (driver, guest, workspace) without API and database, interleaved with bare starts in one run.
//
//   npm run lab -- bench/warm-starts [--smoke] [--rounds N] [--ballast MB]
//
// Milliseconds, medians. The agents (warm-starts/agents.ts) do nothing, or import @openai/agents or openai-agents, in
// JavaScript and Python; built by the builder. One turn: the agent says a word, then writes a file.
//
//   bare      from the spawn of the same interpreter, guest and built agent, without a sandbox, until its word
//             (`first_byte`), and until the process has ended (`end`)
//   cold      from the opening of the workspace (what the last turn has left, cached) over the start of a sandbox until
//             its word, and until all of it is dead and the change found and stored in a local store
//   warm      the same for a sandbox that was forked before, from a process that has loaded its agent: from the claim
//   forked    the same for a sandbox that is forked when the turn comes: from the request
//   node      `node -e 0` from spawn to end, and the same in a sandbox of bubblewrap with the filter of system calls,
//             no network and nothing kept ready
//   bundled   bare first byte of the JavaScript agent with an SDK; unbundled: of its source file as it was written
//   blocked   the longest time that this process's event loop is blocked while it starts a sandbox and runs a turn,
//             with `ballast` MB touched; idle: while as much time passes without
//
// Where other programs keep the machine busy the shares say nothing: a sandbox has processor time of its own by its
// control group, a bare start has not, and who is not running is blocked.
//
// Expected: warm two milliseconds, bare starts 35 (Node), 20 (Python) and several hundred with an SDK; cold a
// bare start and 10 ms for namespaces, mounts and a second process; blocked a fraction of a millisecond, because only a
// small process forks.

import { mkdir } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { enterOwnNamespace } from "@dari/native";
import { createBwrapDriver, openSlotMounts } from "@dari/sandbox";
import { makeDir } from "./contestant.ts";
import { startBareProcess } from "./one-turn.ts";
import { summarizeSpread, measureMs } from "./statistics.ts";
import { gate, medianOf, report, type Gate } from "./verdict.ts";
import { agentNames, buildAgents, type Agent, type AgentName } from "./warm-starts/agents.ts";
import { measureBlocked, type Blocked } from "./warm-starts/blocked.ts";
import { openConversation, openStage, startBare, type Conversation, type Stage } from "./warm-starts/starts.ts";
import { readFlags } from "../flags.ts";

// Enters the same namespace as the worker.
await enterOwnNamespace();
const flags = readFlags({
  smoke: { type: "boolean", default: false },
  rounds: { type: "string", default: "31" },
  ballast: { type: "string", default: "1024" },
});
const { smoke } = flags.values;
const parameters = {
  rounds: smoke ? 3 : flags.whole("rounds"),
  ballast_mb: smoke ? 256 : flags.whole("ballast"),
};
/** Code is compiled and caches are filled before the first counted round. */
const warmUps = smoke ? 1 : 3;
/** Time for cleaning up after a sandbox, and for preparing a launcher. */
const restMs = 60;

type Series = Map<string, number[]>;

function add(series: Series, name: string, ms: number): void {
  series.set(name, [...(series.get(name) ?? []), ms]);
}

interface Contestant {
  readonly agent: Agent;
  readonly conversation: Conversation;
}

async function playRound(stage: Stage, contestants: readonly Contestant[], series: Series): Promise<void> {
  for (const { agent, conversation } of contestants) {
    await conversation.refill();
    for (const [how, start] of [
      ["bare", () => startBare(stage, agent)],
      ["cold", () => conversation.cold()],
      ["warm", () => conversation.warm()],
      ["forked", () => conversation.forked()],
    ] as const) {
      await sleep(restMs);
      const { firstByte, end } = await start();
      add(series, `${agent.name}/${how}/first_byte`, firstByte);
      add(series, `${agent.name}/${how}/end`, end);
    }
    if (agent.name !== "sdk-js") continue;
    await sleep(restMs);
    const source = { ...agent, guest: agent.sourceGuest };
    add(series, "sdk-js/unbundled/first_byte", (await startBare(stage, source, agent.sourceEntry)).firstByte);
  }
  await sleep(restMs);
  add(series, "node/bare/end", await measureMs(() => startBareProcess(process.execPath, ["-e", "0"])));
  await sleep(restMs);
  add(series, "node/sandbox/end", await measureMs(() => nodeInSandbox(stage)));
}

const plainDriver = createBwrapDriver();
let nodes = 0;

async function nodeInSandbox(stage: Stage): Promise<void> {
  const slotDir = path.join(stage.dir, `node-${nodes++}`);
  for (const name of ["workspace", "state"]) await mkdir(path.join(slotDir, name), { recursive: true });
  const argv = [process.execPath, "-e", "0"];
  const readOnlyPaths = [process.execPath];
  const spec = { argv, env: {}, imageDir: slotDir, readOnlyPaths, slotDir, network: "none", limits: {} } as const;
  const sandbox = await plainDriver.prepare(spec);
  for (const stream of [sandbox.stdout, sandbox.stderr]) stream.resume();
  const { code } = await sandbox.exited;
  await sandbox.kill();
  if (code !== 0) throw new Error(`node ended with ${code}`);
}

function gatesOf(series: Series, blocked: Blocked): Gate[] {
  const of = (name: string): number => medianOf(series.get(name) ?? []);
  const share = (one: string, other: string): number => of(one) / of(other);
  const firstByteAtMost: Record<AgentName, number> = {
    "noop-js": 0.1,
    "noop-python": 0.1,
    "sdk-js": 0.03,
    "sdk-python": 0.03,
  };
  const forkedAtMost: Record<AgentName, number> = {
    "noop-js": 0.9,
    "noop-python": 0.6,
    "sdk-js": 0.4,
    "sdk-python": 0.05,
  };
  const ofAgents = agentNames.flatMap((name) => [
    gate(
      `${name}: warm claim to first byte, of bare`,
      share(`${name}/warm/first_byte`, `${name}/bare/first_byte`),
      firstByteAtMost[name],
    ),
    gate(`${name}: warm claim to durable, of bare end`, share(`${name}/warm/end`, `${name}/bare/end`), 0.35),
    gate(
      `${name}: fork to first byte, of bare`,
      share(`${name}/forked/first_byte`, `${name}/bare/first_byte`),
      forkedAtMost[name],
    ),
    gate(`${name}: cold to first byte, of bare`, share(`${name}/cold/first_byte`, `${name}/bare/first_byte`), 1.5),
  ]);
  return [
    ...ofAgents,
    gate("bwrap and seccomp, of bare node", share("node/sandbox/end", "node/bare/end"), 1.4),
    gate("bundled and cached, of unbundled", share("sdk-js/bare/first_byte", "sdk-js/unbundled/first_byte"), 0.35),
    gate("ms that the loop is blocked by a start", medianOf(blocked.starts), 2),
  ];
}

async function measure(): Promise<{ series: Series; blocked: Blocked }> {
  await using stack = new AsyncDisposableStack();
  const dir = await makeDir("warm-starts", stack);
  const driver = createBwrapDriver({ ahead: true });
  stack.defer(() => driver.close?.());
  const found = await driver.probe();
  if (!found.ok) throw new Error(found.reason);
  const mounts = await openSlotMounts(path.join(dir, "warm"), driver);
  stack.defer(() => mounts.close());
  const agents = await buildAgents(dir, driver);
  const stage = await openStage(dir, driver, mounts);
  stack.defer(() => stage.disks.close());
  const contestants = agents.map((agent) => {
    const conversation = openConversation(stage, agent);
    stack.defer(() => conversation.close());
    return { agent, conversation };
  });
  const series: Series = new Map();
  for (let round = -warmUps; round < parameters.rounds; round++) {
    await playRound(stage, contestants, round < 0 ? new Map() : series);
  }
  const blocked = await measureBlocked(stage, agents[0]!, parameters.rounds, parameters.ballast_mb);
  return { series, blocked };
}

try {
  const { series, blocked } = await measure();
  report({
    name: "warm-starts",
    parameters,
    result: {
      ...Object.fromEntries([...series].map(([name, samples]) => [name, summarizeSpread(samples)])),
      blocked: summarizeSpread(blocked.starts),
      blocked_idle: summarizeSpread(blocked.idle),
    },
    gates: gatesOf(series, blocked),
    smoke,
  });
} finally {
  await plainDriver.close?.();
}
