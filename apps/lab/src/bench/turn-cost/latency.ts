// Part `latency`: POST to reply of one client on an idle machine beside the bare start of the interpreter, with a
// sandbox that waits (`warm`) and on a platform that prepares none (`cold`), and the worker's own times of the steps.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createRuntimes } from "@dari/builder";
import { sendTurn, startBareProcess } from "../one-turn.ts";
import { measureMs, summarizeSpread, type Spread } from "../statistics.ts";
import type { AgentName } from "./agents.ts";
import type { RunningPlatform, Settings, Stage } from "./stage.ts";
import { createSessions } from "./turns.ts";

export interface LatencyRow {
  readonly agent: AgentName;
  readonly start: "warm" | "cold";
  /** POST to reply. */
  readonly ms: Spread;
  /** Start to end of `node -e 0`, or of Python's, in the same rounds. */
  readonly bare_ms: Spread;
  /** Medians of the two, divided. */
  readonly of_bare: number;
  /** Medians of the worker's times by step, of all agents. */
  readonly steps_ms: Readonly<Record<string, number>>;
}

const settings: Readonly<Record<LatencyRow["start"], Settings>> = { warm: {}, cold: { DARI_WARM_SANDBOXES: "0" } };
/** The sandbox for the next turn is prepared after the last one, while nothing is measured. */
const refillMs = 500;

/** `warmUps`: rounds before the counted ones, which fill caches. */
export interface LatencySizes {
  readonly rounds: number;
  readonly warmUps: number;
}

export async function measureLatency(stage: Stage, sizes: LatencySizes): Promise<LatencyRow[]> {
  const rows: LatencyRow[] = [];
  for (const start of ["warm", "cold"] as const) {
    await using platform = await stage.start({ DARI_LOG_LEVEL: "info", ...settings[start] });
    const log = path.join(platform.dataDir, "logs", "dari.log");
    const logged = (await readFile(log, "utf8")).length;
    const series = await playRounds(stage, platform, sizes);
    const steps_ms = stepsOf((await readFile(log, "utf8")).slice(logged));
    for (const [agent, { turn, bare }] of series) {
      const [ms, bare_ms] = [summarizeSpread(turn), summarizeSpread(bare)];
      rows.push({ agent, start, ms, bare_ms, of_bare: Math.round((ms.p50 / bare_ms.p50) * 100) / 100, steps_ms });
    }
  }
  return rows;
}

type Series = Map<AgentName, { readonly turn: number[]; readonly bare: number[] }>;

/** One turn of each agent after another, each beside a bare start, so that all see the same machine. */
async function playRounds(stage: Stage, platform: RunningPlatform, { rounds, warmUps }: LatencySizes): Promise<Series> {
  const runtimes = createRuntimes({ cacheDir: path.join(platform.dataDir, "work", "runtimes") });
  const python = (await runtimes.resolve("python", undefined)).command;
  const series: Series = new Map();
  const sessions = new Map<AgentName, string>();
  for (const agent of stage.agents) {
    series.set(agent, { turn: [], bare: [] });
    sessions.set(agent, (await createSessions(platform.client, platform.agentId(agent), 1))[0]!);
  }
  for (let round = -warmUps; round < rounds; round++) {
    for (const [agent, { turn, bare }] of series) {
      const isPython = agent.startsWith("python");
      const [command, ...args] = isPython ? [python, "-c", "pass"] : [process.execPath, "-e", "0"];
      const bareMs = await measureMs(() => startBareProcess(command!, args));
      const turnMs = await measureMs(() => sendTurn(platform.api, sessions.get(agent)!));
      if (round < 0) continue;
      bare.push(bareMs);
      turn.push(turnMs);
    }
    await sleep(refillMs);
  }
  return series;
}

/** Returns the medians of the times that the worker logged. */
function stepsOf(log: string): Record<string, number> {
  const finished = log.split("\n").filter((line) => line.includes('"turn.finished"'));
  const all = new Map<string, number[]>();
  for (const line of finished) {
    for (const [name, ms] of Object.entries(JSON.parse(line) as Record<string, unknown>)) {
      if (name.endsWith("_ms")) all.set(name, [...(all.get(name) ?? []), Number(ms)]);
    }
  }
  return Object.fromEntries([...all].map(([name, samples]) => [name, summarizeSpread(samples).p50]));
}
