// What the figures are meant to reach on two cores. A full run fails only if one is missed that has been reached.

import { gate, type Gate } from "../verdict.ts";
import type { AgentName } from "./agents.ts";
import type { CpuRow } from "./cpu.ts";
import type { IdleRow } from "./idle.ts";
import type { LatencyRow } from "./latency.ts";
import type { MemoryRow } from "./memory.ts";

export interface Results {
  readonly cpu?: readonly CpuRow[];
  readonly latency?: readonly LatencyRow[];
  readonly memory?: readonly MemoryRow[];
  readonly idle?: IdleRow;
  readonly worker?: IdleRow;
}

export interface Target {
  readonly says: string;
  readonly value: number;
  readonly limit: number;
  /** Default: the value is at most the limit. */
  readonly isAtLeast?: boolean;
  /** Whether a miss fails the run. */
  readonly isReached: boolean;
}

type ByAgent = Readonly<Partial<Record<AgentName, number>>>;

/** With this many clients, in sessions that have had turns. */
const clients = 32;
const cpuMs: ByAgent = { javascript: 25, python: 22, "openai-agents": 30 };
const turnsPerSecond: ByAgent = { javascript: 70, python: 80 };
const platformMs = 5;
/** Warm, of the bare start of the interpreter. */
const ofBare = 0.8;
/** For this many turns that wait at once. */
const waiting = 100;
const waitingMb: ByAgent = { javascript: 5, python: 4, "openai-agents": 8 };
const waitingByDefault: ByAgent = { "openai-agents": 1_000 };
const idleMs = 15;
const idleMb = 250;
const idleWorkerMs = 5;
const idleWorkerMb = 90;

/** What has been reached, by the beginning of its text. */
const reached: readonly string[] = [];

/** Returns the targets of the rows that have one. */
export function targetsOf({ cpu = [], latency = [], memory = [], idle, worker }: Results): Target[] {
  return [
    ...cpu.flatMap(targetsOfCpu),
    ...latency.flatMap(({ agent, start, of_bare }) =>
      start === "warm" ? target(`${agent}: POST to reply, of a bare start`, of_bare, ofBare) : [],
    ),
    ...memory.flatMap((row) => {
      if (row.slots === "default") {
        return target(
          `${row.agent}: turns that wait at once by default`,
          row.waiting,
          waitingByDefault[row.agent],
          true,
        );
      }
      const isMeant = row.waiting === waiting;
      return isMeant ? target(`${row.agent}: MiB of a waiting turn`, row.available_mb, waitingMb[row.agent]) : [];
    }),
    ...targetsOfIdle("idle", idle, idleMs, idleMb),
    ...targetsOfIdle("worker at rest", worker, idleWorkerMs, idleWorkerMb),
  ];
}

function targetsOfIdle(name: string, row: IdleRow | undefined, ms: number, mb: number): Target[] {
  if (row === undefined) return [];
  return [
    ...target(`${name}: ms of processor time a second`, row.cpu_ms, ms),
    ...target(`${name}: MiB of PSS`, row.pss_mb, mb),
  ];
}

function targetsOfCpu(row: CpuRow): Target[] {
  if (row.clients !== clients || row.sessions !== "old") return [];
  const { agent } = row;
  return [
    ...target(`${agent}: ms of processor time of a turn`, row.cpu_ms, cpuMs[agent]),
    ...target(`${agent}: turns a second`, row.turns_per_second, turnsPerSecond[agent], true),
    ...target(`${agent}: ms of the platform's process of a turn`, row.cpu_ms_by_part.platform ?? 0, platformMs),
  ];
}

function target(says: string, value: number, limit: number | undefined, isAtLeast = false): Target[] {
  if (limit === undefined) return [];
  return [{ says, value, limit, isAtLeast, isReached: reached.includes(says) }];
}

/** Returns a gate for each target that has been reached. */
export function gatesOf(targets: readonly Target[]): Gate[] {
  const isHeld = ({ isReached }: Target): boolean => isReached;
  return targets.filter(isHeld).map(({ says, value, limit, isAtLeast }) => {
    // Gates have an upper limit.
    return isAtLeast ? gate(`${limit} of ${says}, divided by the value`, limit / value, 1) : gate(says, value, limit);
  });
}
