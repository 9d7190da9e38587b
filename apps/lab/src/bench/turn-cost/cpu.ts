// Part `cpu`: turns a second, latency and processor time of a turn, for 1 to 32 clients, in sessions without a turn
// (`new`) and with some (`old`).

import { summarizeSpread, type Spread } from "../statistics.ts";
import type { AgentName } from "./agents.ts";
import { cpuBetween, parts, rounded, type ByPart } from "./processes.ts";
import type { RunningPlatform, Stage } from "./stage.ts";
import { createSessions, sendTurns } from "./turns.ts";

export interface CpuSizes {
  readonly clients: readonly number[];
  /** How many turns a measurement with the most clients has. The others have fewer. */
  readonly turns: number;
  /** How many old sessions an agent has: at least as many as clients. */
  readonly oldSessions: number;
}

export interface CpuRow {
  readonly agent: AgentName;
  readonly sessions: "new" | "old";
  readonly clients: number;
  readonly turns_per_second: number;
  /** POST to reply. */
  readonly ms: Spread;
  /** Processor time of everything per turn, in milliseconds. */
  readonly cpu_ms: number;
  readonly cpu_ms_by_part: Partial<ByPart>;
}

/** Turns before the first measurement of an agent, which load it. */
const warmUpTurns = 5;

export async function measureCpu(stage: Stage, sizes: CpuSizes): Promise<CpuRow[]> {
  await using platform = await stage.start();
  const rows: CpuRow[] = [];
  for (const agent of stage.agents) {
    const old = await createSessions(platform.client, platform.agentId(agent), sizes.oldSessions);
    await sendTurns(platform.api, { clients: 1, turns: warmUpTurns, sessions: old.slice(0, 1), isReused: true });
    const clients = Math.min(sizes.clients.at(-1)!, old.length);
    await sendTurns(platform.api, { clients, turns: old.length, sessions: old, isReused: false });
    for (const clients of sizes.clients) {
      const turns = turnsOf(sizes, clients);
      const fresh = await createSessions(platform.client, platform.agentId(agent), turns);
      const how = { agent, clients, turns };
      rows.push(await measure(platform, { ...how, sessions: "new", ids: fresh }));
      rows.push(await measure(platform, { ...how, sessions: "old", ids: old }));
    }
  }
  return rows;
}

/** One client needs fewer turns, which take as long as those of two. */
function turnsOf({ clients, turns }: CpuSizes, now: number): number {
  const share = now === clients.at(-1) ? 1 : now === 1 ? 0.3 : 0.6;
  return Math.max(2 * now, Math.round(turns * share));
}

interface Measurement extends Pick<CpuRow, "agent" | "sessions" | "clients"> {
  readonly turns: number;
  readonly ids: readonly string[];
}

async function measure(platform: RunningPlatform, { ids, turns, ...how }: Measurement): Promise<CpuRow> {
  await platform.settled();
  const before = platform.readCpu();
  const startedAt = performance.now();
  const load = { clients: how.clients, turns, sessions: ids, isReused: how.sessions === "old" };
  const samples = await sendTurns(platform.api, load);
  const seconds = (performance.now() - startedAt) / 1_000;
  // Clearing up after the last turns, and preparing for the next, belong to the turns.
  await platform.settled();
  const after = platform.readCpu();
  const usedMs = after.totalMs - before.totalMs;
  const used = cpuBetween(before.byProcess, after.byProcess, usedMs);
  const perTurn = Object.fromEntries(parts.map((part) => [part, used[part] / turns])) as ByPart;
  return {
    ...how,
    turns_per_second: tenths(turns / seconds),
    ms: summarizeSpread(samples),
    cpu_ms: tenths(usedMs / turns),
    cpu_ms_by_part: rounded(perTurn),
  };
}

const tenths = (value: number): number => Math.round(value * 10) / 10;
