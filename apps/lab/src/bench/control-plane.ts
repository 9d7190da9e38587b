// Measures what the control plane costs per turn if the agent costs nothing: processor time of all its processes,
// including PostgreSQL and Redis, compared with a plain BullMQ job per message that writes the same rows. Rounds of
// both alternate in one run. Expected: 1.6 times the plain job, for the fence, the order and the fair shares.
//
//   npm run lab -- bench/control-plane [--smoke] [--rounds 5] [--turns 3000] [--only dari,bullmq] [--profile <dir>]

import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { countTurnRows, listCostliestStatements } from "@dari/testkit";
import type { Contestant } from "./contestant.ts";
import { cpuMsOf } from "./cpu-time.ts";
import { startPeer } from "./peer-programs.ts";
import { startPlatform } from "./platform.ts";
import { collectStatistics } from "./servers.ts";
import { summarizeSpread } from "./statistics.ts";
import { sendTurns } from "./turn-load.ts";
import { gate, medianOf, report, type Gate } from "./verdict.ts";
import { readFlags } from "../flags.ts";

const flags = readFlags({
  smoke: { type: "boolean", default: false },
  rounds: { type: "string", default: "5" },
  turns: { type: "string", default: "3000" },
  only: { type: "string", default: "dari,bullmq" },
  profile: { type: "string" },
});
const { values } = flags;
const parameters = {
  contestants: values.only.split(","),
  rounds: values.smoke ? 1 : flags.whole("rounds"),
  sessions: values.smoke ? 100 : 1_000,
  warm_up_turns: values.smoke ? 100 : 1_500,
  idle_turns: values.smoke ? 30 : 300,
  loaded_turns: values.smoke ? 300 : flags.whole("turns"),
  connections: 32,
};

interface Round {
  /** Milliseconds of processor time per turn under load, by process. */
  readonly cpuMs: Readonly<Record<string, number>>;
  readonly cpuMsAll: number;
  readonly idleMs: readonly number[];
  readonly loadedMs: readonly number[];
  readonly turnsPerSecond: number;
}

const profileDir = values.profile === undefined ? undefined : path.resolve(values.profile);
if (profileDir !== undefined) mkdirSync(profileDir, { recursive: true });

async function measure(one: Contestant): Promise<Round> {
  const idleMs = await sendTurns(one, { connections: 1, turns: parameters.idle_turns });
  const before = cpuOf(one);
  const startedAt = performance.now();
  const loadedMs = await sendTurns(one, { connections: parameters.connections, turns: parameters.loaded_turns });
  const seconds = (performance.now() - startedAt) / 1_000;
  const after = cpuOf(one);
  const perTurn = (name: string): number => ((after[name] ?? 0) - (before[name] ?? 0)) / parameters.loaded_turns;
  const cpuMs = Object.fromEntries(Object.keys(one.pids).map((name) => [name, perTurn(name)]));
  const cpuMsAll = Object.values(cpuMs).reduce((sum, ms) => sum + ms, 0);
  return { cpuMs, cpuMsAll, idleMs, loadedMs, turnsPerSecond: parameters.loaded_turns / seconds };
}

const cpuOf = (one: Contestant): Record<string, number> =>
  Object.fromEntries(Object.entries(one.pids).map(([name, pid]) => [name, cpuMsOf(pid)]));

function summary(rounds: readonly Round[]) {
  const median = (pick: (round: Round) => number): number => Math.round(medianOf(rounds.map(pick)) * 1_000) / 1_000;
  const names = Object.keys(rounds[0]?.cpuMs ?? {});
  return {
    cpu_ms_per_turn: median((round) => round.cpuMsAll),
    cpu_ms_per_turn_by_process: Object.fromEntries(names.map((name) => [name, median((one) => one.cpuMs[name] ?? 0)])),
    cpu_ms_per_turn_rounds: rounds.map((round) => Math.round(round.cpuMsAll * 1_000) / 1_000),
    turns_per_second: median((round) => round.turnsPerSecond),
    loaded_p50_ms: median((round) => summarizeSpread(round.loadedMs).p50),
    loaded_p99_ms: median((round) => summarizeSpread(round.loadedMs).p99),
    idle_p50_ms: median((round) => summarizeSpread(round.idleMs).p50),
    idle_p99_ms: median((round) => summarizeSpread(round.idleMs).p99),
  };
}

await using stack = new AsyncDisposableStack();
const contestants: Contestant[] = [];
for (const name of parameters.contestants) {
  const options = { sessions: parameters.sessions, profileDir };
  contestants.push(stack.use(await (name === "dari" ? startPlatform(options) : startPeer(options))));
}
const rounds = new Map<string, Round[]>(contestants.map((one) => [one.name, []]));
for (const one of contestants) {
  await sendTurns(one, { connections: parameters.connections, turns: parameters.warm_up_turns });
  await collectStatistics(one.servers);
}
for (let i = 0; i < parameters.rounds; i++) {
  // Rotates the order, so that no contestant always runs after the same one.
  const order = contestants.map((_, index) => contestants[(index + i) % contestants.length]!);
  for (const one of order) rounds.get(one.name)?.push(await measure(one));
}

const turnsSent = parameters.warm_up_turns + parameters.rounds * (parameters.idle_turns + parameters.loaded_turns);
const result: Record<string, ReturnType<typeof summary> & { rows_per_turn: Record<string, number> }> = {};
for (const one of contestants) {
  const rows_per_turn = await countTurnRows(one.servers.db, turnsSent);
  result[one.name] = { ...summary(rounds.get(one.name) ?? []), rows_per_turn };
  if (profileDir === undefined) continue;
  const statements = await listCostliestStatements(one.servers.db, turnsSent);
  writeFileSync(path.join(profileDir, `${one.name}.sql.json`), JSON.stringify(statements, null, 1));
}

const ratio = (figure: "cpu_ms_per_turn" | "idle_p50_ms"): number =>
  (result["dari"]?.[figure] ?? Number.NaN) / (result["bullmq"]?.[figure] ?? Number.NaN);
const gates: Gate[] = [
  gate("CPU per turn / plain BullMQ", ratio("cpu_ms_per_turn"), 1.7),
  gate("idle p50 / plain BullMQ", ratio("idle_p50_ms"), 2),
];
report({ name: "control-plane", parameters, result, gates, smoke: values.smoke });
