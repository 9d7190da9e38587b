// Part `memory`: what a turn holds while it waits for a model, by the kernel's estimate of what is free and by the
// sandboxes' PSS, and how many turns can wait at once.

import { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { medianOf } from "../verdict.ts";
import { prompts, type AgentName } from "./agents.ts";
import { rounded, total, type ByPart, type MemoryReading } from "./processes.ts";
import type { RunningPlatform, Settings, Stage } from "./stage.ts";
import { createSessions, sendText, sendTurns } from "./turns.ts";

export interface MemorySizes {
  /** Slots of the worker. */
  readonly slots: number;
  /** How many turns wait at once. */
  readonly counts: readonly number[];
  /** The maximum to try; undefined skips the search for as many as fit. */
  readonly most: number | undefined;
}

export interface MemoryRow {
  readonly agent: AgentName;
  readonly slots: number | "default";
  readonly waiting: number;
  /** Why no more turns were sent. */
  readonly stopped_by: Stop;
  /** Less memory available per waiting turn, in MiB. */
  readonly available_mb: number;
  /** More PSS of everything per waiting turn, in MiB. */
  readonly pss_mb: number;
  /** PSS of everything while they wait, in MiB. */
  readonly pss_mb_by_part: Partial<ByPart>;
}

type Stop = "count" | "memory" | "no turn began" | `failure: ${string}`;

/**
 * Sets little memory aside for each turn, so that the slots decide. Preloaded sandboxes are as many as with default
 * settings, not one per slot.
 */
const settingsOf = (slots: number): Settings => ({
  DARI_WORKER_SLOTS: String(slots),
  DARI_TURN_RESERVED_MB: "16",
  DARI_WARM_SANDBOXES: "4",
});

const warmUpTurns = 5;
const readings = 5;
const betweenReadingsMs = 100;
/** No further turn is sent while less of the machine's memory is free, in MiB. */
const leaveFreeMb = 1_024;
const growBy = 50;
/** If no turn has begun for so long, no more fit. */
const beginWithinMs = 20_000;

export async function measureMemory(stage: Stage, sizes: MemorySizes): Promise<MemoryRow[]> {
  const rows: MemoryRow[] = [];
  {
    await using platform = await stage.start(settingsOf(sizes.slots));
    for (const agent of stage.agents) {
      for (const count of sizes.counts) {
        rows.push(await measureWaiting(stage, platform, { agent, slots: sizes.slots, count, step: count }));
      }
      if (sizes.most === undefined) continue;
      const most = { agent, slots: sizes.slots, count: Math.min(sizes.most, sizes.slots), step: growBy };
      rows.push(await measureWaiting(stage, platform, most));
    }
  }
  if (sizes.most === undefined) return rows;
  await using platform = await stage.start();
  for (const agent of stage.agents) {
    rows.push(await measureWaiting(stage, platform, { agent, slots: "default", count: sizes.most, step: growBy }));
  }
  return rows;
}

interface Waiting extends Pick<MemoryRow, "agent" | "slots"> {
  readonly count: number;
  /** How many are sent together. */
  readonly step: number;
}

/** Turns that were sent, and the first that failed. */
interface Sent {
  readonly turns: Promise<void>[];
  failure?: string;
}

async function measureWaiting(stage: Stage, platform: RunningPlatform, o: Waiting): Promise<MemoryRow> {
  const warm = await createSessions(platform.client, platform.agentId(o.agent), 1);
  await sendTurns(platform.api, { clients: 1, turns: warmUpTurns, sessions: warm, isReused: true });
  const before = await readMemory(platform);
  const connections = new Agent({ keepAlive: false });
  const sent: Sent = { turns: [] };
  stage.model.hold();
  try {
    const stop = await sendUntilStopped({ stage, platform, connections, sent }, o);
    return rowOf(o, { waiting: stage.model.waiting, stopped_by: stop }, before, await readMemory(platform));
  } finally {
    stage.model.release();
    await Promise.all(sent.turns);
    connections.destroy();
  }
}

interface Sending {
  readonly stage: Stage;
  readonly platform: RunningPlatform;
  readonly connections: Agent;
  readonly sent: Sent;
}

async function sendUntilStopped({ stage, platform, connections, sent }: Sending, o: Waiting): Promise<Stop> {
  const send = async (session: string): Promise<void> => {
    await sendText(connections, platform.api, session, prompts.waiting).catch((error: unknown) => {
      sent.failure ??= String(error);
    });
  };
  while (sent.turns.length < o.count) {
    if (platform.readAvailable() < leaveFreeMb) return "memory";
    const size = Math.min(o.step, o.count - sent.turns.length);
    const sessions = await createSessions(platform.client, platform.agentId(o.agent), size);
    sent.turns.push(...sessions.map(send));
    if (!(await allBegin(stage, sent))) break;
  }
  if (sent.failure !== undefined) return `failure: ${sent.failure}`;
  return stage.model.waiting < sent.turns.length ? "no turn began" : "count";
}

/** Resolves with true when all of the turns wait, and with false if one has failed, or none has begun for a while. */
async function allBegin({ model }: Stage, sent: Sent): Promise<boolean> {
  let [begun, since] = [-1, 0];
  while (sent.failure === undefined) {
    if (model.waiting !== begun) [begun, since] = [model.waiting, performance.now()];
    if (begun === sent.turns.length) return true;
    if (performance.now() - since > beginWithinMs) return false;
    await sleep(20);
  }
  return false;
}

/** What is free changes by itself, so this takes the median of several readings at rest. */
async function readMemory(platform: RunningPlatform): Promise<MemoryReading> {
  await platform.settled();
  const available: number[] = [];
  for (let i = 0; i < readings; i++) {
    if (i > 0) await sleep(betweenReadingsMs);
    available.push(platform.readAvailable());
  }
  return { ...platform.readMemory(), available: medianOf(available) };
}

function rowOf(
  { agent, slots }: Waiting,
  found: Pick<MemoryRow, "waiting" | "stopped_by">,
  before: MemoryReading,
  after: MemoryReading,
): MemoryRow {
  const perTurn = (mb: number): number => Math.round((mb / found.waiting) * 10) / 10;
  return {
    ...{ agent, slots, ...found },
    available_mb: perTurn(before.available - after.available),
    pss_mb: perTurn(total(after.pss) - total(before.pss)),
    pss_mb_by_part: rounded(after.pss),
  };
}
