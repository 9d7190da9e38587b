// Searches for anything that one turn sees of another when both are forked from one process: 10,000 turns of two
// organizations in turn, in JavaScript and Python, in real sandboxes. Each turn leaves a canary wherever it can write
// (tests/agents/canary) and looks for those of earlier turns. Prints one JSON line.
//
//   npm run lab -- isolation/forks [--smoke] [--turns N] [--lanes 4] [--search-every 50]
//
// lanes: turns at the same time, each in a slot of its own that the lane's next turn gets again. search-every: how many
// turns there are for one that searches all memory of its process. Fails if a turn sees a canary, or finds a state that
// another turn has changed, if two turns draw the same random value or have the same process id (of one template), or
// if a turn does not end as it must: one in ten ends its process with a code of its own.

import { enterOwnNamespace } from "@dari/native";
import { openCanaries, type CanaryAgent, type Turn, type TurnReport } from "./canary-agents.ts";
import { readFlags } from "../flags.ts";
import { describeMachine } from "../machine.ts";

// Enters the same namespace as the worker.
await enterOwnNamespace();
const flags = readFlags({
  smoke: { type: "boolean", default: false },
  turns: { type: "string", default: "10000" },
  lanes: { type: "string", default: "4" },
  "search-every": { type: "string", default: "50" },
});
const { smoke } = flags.values;
const turns = smoke ? 40 : flags.whole("turns");
const lanes = flags.whole("lanes");
const searchEvery = smoke ? 8 : flags.whole("search-every");
/** One of so many turns ends its process itself. */
const exitEvery = 10;
/** Codes above 128 are those of signals. */
const exitCodes = 100;
const problemsMax = 20;

const problems: string[] = [];
const counts = { turns: 0, seen: 0, equal_draws: 0, equal_pids: 0, wrong_states: 0, wrong_ends: 0 };
const drawn = new Set<string>();
const pids = new Set<string>();
/** The state that the first turn of each language found. */
const states = new Map<string, string>();

function note(kind: Exclude<keyof typeof counts, "turns">, text: string): void {
  counts[kind] += 1;
  if (problems.length < problemsMax) problems.push(text);
}

function judge(agent: CanaryAgent, turn: Turn, { code, report, ending }: TurnReport): void {
  counts.turns += 1;
  const name = `turn ${turn.number} (${agent.name})`;
  if (turn.exitCode !== undefined) {
    if (code !== turn.exitCode) note("wrong_ends", `${name} ended with ${code}, not ${turn.exitCode}: ${ending}`);
    return;
  }
  if (report === undefined) return note("wrong_ends", `${name}: ${ending}`);
  for (const found of report.found) note("seen", `${name} saw ${found}`);
  for (const value of report.draws) {
    if (drawn.has(value)) note("equal_draws", `${name} drew ${value} again`);
    drawn.add(value);
  }
  const pid = `${agent.name} ${report.pid}`;
  if (pids.has(pid)) note("equal_pids", `${name} has the process id ${report.pid} again`);
  pids.add(pid);
  const expected = states.get(agent.language) ?? report.state;
  states.set(agent.language, expected);
  if (report.state !== expected) note("wrong_states", `${name} found ${report.state}, not ${expected}`);
}

async function runLane(agents: readonly CanaryAgent[], lane: number): Promise<void> {
  for (let number = lane; number < turns; number += lanes) {
    const agent = agents[(lane + Math.floor(number / lanes)) % agents.length]!;
    const turn = {
      number,
      slot: `slot-${lane}`,
      searchesMemory: number % searchEvery < agents.length,
      exitCode: number % exitEvery === exitEvery - 1 ? 1 + (number % exitCodes) : undefined,
    };
    judge(agent, turn, await agent.run(turn));
  }
}

const startedAt = performance.now();
const { agents, close } = await openCanaries();
try {
  await Promise.all(Array.from({ length: lanes }, (_, lane) => runLane(agents, lane)));
} finally {
  await close();
}
const failed = problems.length > 0 || counts.turns !== turns || drawn.size === 0;
const result = { ...counts, draws: drawn.size, pids: pids.size, problems };
process.stdout.write(
  `${JSON.stringify({
    name: "isolation/forks",
    machine: describeMachine(),
    parameters: { turns, lanes, search_every: searchEvery },
    result,
    seconds: Math.round((performance.now() - startedAt) / 100) / 10,
    verdict: failed ? "failed" : "passed",
  })}\n`,
);
if (failed) process.exitCode = 1;
