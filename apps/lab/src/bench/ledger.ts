// Measures what the events of a turn cost: processor time of all processes for a turn with 20 tool calls (42 events),
// less that of the same turn without. The API, the reconciler and the worker are the real programs; the worker's agents
// only report what they do.
//
//   npm run lab -- bench/ledger [--rounds 5] [--turns 400] [--seconds 4] [--smoke]
//
// --turns: of each round; --seconds: how long a slow turn takes. A slow turn is measured without a listener, and with
// one that follows its session. The listeners run in this process, which is not measured.

import { Agent } from "node:http";
import { createClient } from "@dari/client";
import { readFlags } from "../flags.ts";
import { listen } from "../ship/listeners.ts";
import { cpuMsOf } from "./cpu-time.ts";
import { startPlatform } from "./platform.ts";
import { slots } from "./contestant.ts";
import { post } from "./turn-load.ts";
import { gate, medianOf, report } from "./verdict.ts";

const flags = readFlags({
  smoke: { type: "boolean", default: false },
  rounds: { type: "string", default: "5" },
  turns: { type: "string", default: "400" },
  seconds: { type: "string", default: "4" },
});
const { smoke } = flags.values;
const parameters = {
  rounds: smoke ? 1 : flags.whole("rounds"),
  quick_turns: smoke ? 50 : flags.whole("turns"),
  slow_turns: smoke ? slots : Math.ceil(flags.whole("turns") / 4),
  slow_seconds: smoke ? 1 : flags.whole("seconds"),
  tool_calls: 20,
};

interface Load {
  readonly holdMs: number;
  readonly turns: number;
  readonly isWatched: boolean;
}

const { quick_turns: quickTurns, slow_turns: slowTurns, slow_seconds: slowSeconds } = parameters;
const loads = {
  quick: { holdMs: 0, turns: quickTurns, isWatched: false },
  slow: { holdMs: slowSeconds * 1_000, turns: slowTurns, isWatched: false },
  slow_watched: { holdMs: slowSeconds * 1_000, turns: slowTurns, isWatched: true },
} satisfies Record<string, Load>;

await using platform = await startPlatform({ sessions: slots });
const client = createClient(platform);
const names = Object.keys(platform.pids);

/** Returns milliseconds of processor time per turn, by process. */
async function measure(load: Load, calls: number): Promise<ReadonlyMap<string, number>> {
  const before = cpuOf();
  await sendTurns(load, calls);
  const after = cpuOf();
  return new Map(names.map((name) => [name, (after.get(name)! - before.get(name)!) / load.turns]));
}

const cpuOf = (): ReadonlyMap<string, number> =>
  new Map(Object.entries(platform.pids).map(([name, pid]) => [name, cpuMsOf(pid)]));

/** Each connection has a session of its own. */
async function sendTurns({ holdMs, turns }: Load, calls: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: slots });
  const body = JSON.stringify({ parts: [{ type: "text", text: `${holdMs} 0 ${calls} ${parameters.tool_calls}` }] });
  let left = turns;
  const connection = async (session: string): Promise<void> => {
    while (left-- > 0) {
      const answer = await post(agent, `${platform.apiUrl}/v1/sessions/${session}/messages`, platform.apiKey, body);
      if (!answer.includes('"status":"completed"')) throw new Error(`the platform answered ${answer.slice(0, 500)}`);
    }
  };
  try {
    await Promise.all(platform.sessionIds.map(connection));
  } finally {
    agent.destroy();
  }
}

/** Measures with and without events, with the same listeners. The order changes with each round. */
async function compare(load: Load, round: number): Promise<ReadonlyMap<string, number>> {
  const done = new AbortController();
  const listeners = load.isWatched ? platform.sessionIds.map((id) => listen(client, id, done.signal)) : [];
  const measured = new Map<number, ReadonlyMap<string, number>>();
  const { tool_calls: calls } = parameters;
  for (const n of round % 2 === 0 ? [calls, 0] : [0, calls]) measured.set(n, await measure(load, n));
  done.abort();
  await Promise.all(listeners.map(({ ended }) => ended));
  const [with_, without] = [measured.get(calls)!, measured.get(0)!];
  return new Map(names.map((name) => [name, with_.get(name)! - without.get(name)!]));
}

const rounded = (ms: number): number => Math.round(ms * 100) / 100;
const sumOf = (round: ReadonlyMap<string, number>): number => [...round.values()].reduce((sum, ms) => sum + ms, 0);
await sendTurns(loads.quick, parameters.tool_calls);
const added = new Map<string, ReadonlyMap<string, number>[]>(Object.keys(loads).map((name) => [name, []]));
for (let round = 0; round < parameters.rounds; round++) {
  for (const [name, load] of Object.entries(loads)) {
    const difference = await compare(load, round);
    added.get(name)!.push(difference);
    process.stderr.write(`${name}: ${rounded(sumOf(difference))} ms more per turn\n`);
  }
}

const addedMs = (load: keyof typeof loads): number => medianOf(added.get(load)!.map(sumOf));
const result = Object.fromEntries(
  [...added].map(([name, rounds]) => [
    name,
    {
      added_cpu_ms_per_turn: rounded(medianOf(rounds.map(sumOf))),
      by_process: Object.fromEntries(names.map((one) => [one, rounded(medianOf(rounds.map((it) => it.get(one)!)))])),
      rounds: rounds.map((round) => rounded(sumOf(round))),
    },
  ]),
);
const gates = [
  gate("ms of CPU that the events add to a quick turn", addedMs("quick"), 5),
  gate("ms of CPU that the events add to a slow turn", addedMs("slow"), 5),
];
report({ name: "ledger", parameters, result, gates, smoke });
