// Counts turns from their admission to their end, and measures those that run: says how many more fit into memory and
// which organizations' turns compute, and ends a turn if memory runs out.

import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@dari/runtime";
import type { Memory } from "./memory.ts";
import {
  createAgentSizes,
  findLargestHolder,
  findRoom,
  isAboveShare,
  type AgentSizes,
  type HoldingTurn,
  type LargestHolder,
  type MemoryRoom,
} from "./memory-room.ts";

export interface RunningTurns {
  /** Returns how many more turns fit. */
  room(): MemoryRoom;
  /** Counts one more turn from now on. */
  admit(): AdmittedTurn;
  /**
   * Returns how many turns of each organization wait in `reserve` or, with `countsComputing`, use a processor.
   * Organizations without such turns are absent.
   */
  countBusy(o: { readonly countsComputing: boolean }): Readonly<Record<string, number>>;
}

export interface AdmittedTurn {
  /**
   * Resolves when the turn's sandbox can start. It waits while turns of the same organization that have just started
   * are expected to take the memory, but never for turns of others, and at most a minute. Never rejects.
   */
  reserve(turn: ClaimedMemory, signal: AbortSignal): Promise<void>;
  /** Measures the turn from now on. Returns the function that ends that. */
  track(turn: TrackedTurn): () => void;
  /** Stops counting the turn. Idempotent. */
  leave(): void;
}

export interface ClaimedMemory {
  readonly organizationId: string;
  /** Turns with the same value are expected to need the same memory. */
  readonly agent: string;
}

export interface TrackedTurn extends ClaimedMemory {
  /** Returns what the turn uses now. Undefined: it cannot be measured. */
  measure(): Promise<TurnMeasurement>;
  /** Ends the turn, because the worker has no memory left. Called at most once. */
  end(shortage: MemoryShortage): void;
}

export interface TurnMeasurement {
  readonly memoryBytes?: number | undefined;
  /** Processor time so far. */
  readonly cpuSeconds?: number | undefined;
}

export interface MemoryShortage {
  /** What the turn held, in bytes. */
  readonly heldBytes: number;
  /** Whether the turn ended because another organization's turns waited for memory. */
  readonly isForOthers: boolean;
}

export interface RunningTurnsOptions {
  readonly readMemory: () => Memory;
  /** The most that all turns together may hold, in bytes (default: what the machine has). */
  readonly budgetBytes?: number | undefined;
  /** What is reserved for each turn in its first seconds, in bytes. */
  readonly reservedBytes: number;
  /** The most that is reserved for a turn because earlier turns of its agent took more, in bytes. */
  readonly reservedMaxBytes: number;
  /** Ends sandboxes that serve no turn. Returns whether there were any. */
  readonly evictIdle?: () => boolean;
  /** Returns the organizations whose turns wait for a place on a worker. Called only while memory is short. */
  readonly listWaiting?: () => Promise<readonly string[]>;
  readonly log: Logger;
  /** How often turns are measured, in milliseconds (default: 1 s). */
  readonly sweepEveryMs?: number;
}

const defaultSweepEveryMs = 1_000;
/** Maximum number of turns that one sweep measures. While memory is scarce, it measures all. */
const perSweepMax = 64;
/** Memory is scarce while fewer further turns than this fit. */
const scarceTurns = 16;
/** The time between two readings of the available memory while it is scarce, in sweeps. */
const scarceSweeps = 0.1;
/** How long memory is reserved for a turn, in sweeps. After that, its size counts. */
const reservedSweeps = 3;
/** How long no turn has fitted before an organization must give memory back, in sweeps. */
const shareSweeps = 5;
/** If a turn that must end has not ended after this time, another one can be ended. In sweeps. */
const endingSweeps = 10;
/** A turn computes if it uses this part of a processor. While a hundred turns share one, each still does. */
const computingPart = 0.01;
/** How long a turn waits in `reserve` at most, and between two checks, in milliseconds. */
const reserveWithinMs = 60_000;
const reserveCheckMs = 100;

interface Entry extends HoldingTurn {
  /** `reserving` turns hold nothing yet. `ended`: the sandbox has ended, and the turn's files are being saved. */
  phase: "admitted" | "reserving" | "running" | "ended";
  /** Empty until the turn is claimed. */
  organizationId: string;
  /** What the agent's turns usually take in their first seconds. */
  expectedBytes: number;
  heldBytes: number;
  turn: TrackedTurn | undefined;
  startedAt: number;
  isMeasured: boolean;
  isBeingMeasured: boolean;
  /** Whether its size after the first seconds is known for its agent. */
  isSettled: boolean;
  /** The last measurement of its processor time. */
  cpu: { readonly seconds: number; readonly at: number } | undefined;
  isComputing: boolean;
  endedAt: number | undefined;
}

/** Shared state of the turns of one worker. */
interface State {
  readonly o: RunningTurnsOptions;
  readonly sweepEveryMs: number;
  readonly sizes: AgentSizes;
  /** Running turns are in the order in which they were measured, the longest ago first. */
  readonly entries: Set<Entry>;
  timer: NodeJS.Timeout | undefined;
  sweptAt: number;
  /** Since when no turn has fitted. */
  fullSince: number | undefined;
  /** The organizations that waited at the last check. */
  waited: ReadonlySet<string>;
  /** Whether such a check runs. */
  isAsking: boolean;
  /** Whether the last review ended sandboxes that serve no turn. */
  isEvicting: boolean;
}

export function createRunningTurns(o: RunningTurnsOptions): RunningTurns {
  const state: State = {
    o,
    sweepEveryMs: o.sweepEveryMs ?? defaultSweepEveryMs,
    sizes: createAgentSizes(o.reservedMaxBytes),
    entries: new Set(),
    timer: undefined,
    sweptAt: -Infinity,
    fullSince: undefined,
    waited: new Set(),
    isEvicting: false,
    isAsking: false,
  };
  return {
    room: () => roomOf(state),
    admit: () => admit(state),
    countBusy({ countsComputing }) {
      const counts: Record<string, number> = {};
      for (const { organizationId: id, phase, isComputing } of state.entries) {
        if (phase === "reserving" || (countsComputing && isComputing)) counts[id] = (counts[id] ?? 0) + 1;
      }
      return counts;
    },
  };
}

function admit(state: State): AdmittedTurn {
  const { o, entries, sizes } = state;
  const entry: Entry = {
    phase: "admitted",
    ...{ organizationId: "", expectedBytes: o.reservedBytes, heldBytes: 0, turn: undefined },
    ...{ startedAt: 0, isMeasured: false, isBeingMeasured: false, isSettled: false },
    ...{ cpu: undefined, isComputing: false, endedAt: undefined },
  };
  entries.add(entry);
  return {
    async reserve({ organizationId, agent }, signal) {
      entry.organizationId = organizationId;
      entry.expectedBytes = Math.max(o.reservedBytes, sizes.get(agent) ?? 0);
      const deadline = performance.now() + reserveWithinMs;
      while (!fitsBesideOwn(state, entry) && !signal.aborted && performance.now() < deadline) {
        entry.phase = "reserving";
        await sleep(reserveCheckMs, undefined, { ref: false, signal }).catch(() => undefined);
      }
      entry.phase = "admitted";
    },
    track(turn) {
      const { organizationId } = turn;
      const fresh = { startedAt: performance.now(), isMeasured: false, isBeingMeasured: false, cpu: undefined };
      Object.assign(entry, { phase: "running", organizationId, turn, ...fresh });
      schedule(state);
      return () => {
        if (entry.turn !== turn) return;
        if (entry.isMeasured) settle(entry, turn.agent, sizes);
        Object.assign(entry, { phase: "ended", turn: undefined, heldBytes: 0, isComputing: false });
      };
    },
    leave: () => void entries.delete(entry),
  };
}

/** Returns whether memory is reserved for a turn, because it may still grow to its usual size. */
function isReserved({ sweepEveryMs }: State, { phase, startedAt }: Entry): boolean {
  if (phase === "running") return performance.now() - startedAt < reservedSweeps * sweepEveryMs;
  return phase === "admitted";
}

/**
 * Returns whether the memory is enough for what the agent's turns usually take, beside those of its organization that
 * have just started. One at a time can always start.
 */
function fitsBesideOwn(state: State, entry: Entry): boolean {
  if (entry.expectedBytes <= state.o.reservedBytes) return true;
  let ownBytes = 0;
  for (const other of state.entries) {
    if (other === entry || other.organizationId !== entry.organizationId || !isReserved(state, other)) continue;
    ownBytes += Math.max(0, other.expectedBytes - other.heldBytes);
  }
  return ownBytes === 0 || ownBytes + entry.expectedBytes <= roomOf(state).availableBytes;
}

function roomOf(state: State): MemoryRoom {
  const { o, entries } = state;
  let [heldBytes, reservedBytes] = [0, 0];
  for (const entry of entries) {
    heldBytes += entry.heldBytes;
    if (isReserved(state, entry)) reservedBytes += Math.max(0, o.reservedBytes - entry.heldBytes);
  }
  const { budgetBytes, reservedBytes: turnBytes } = o;
  return findRoom({ ...o.readMemory(), budgetBytes, heldBytes, reservedBytes, turns: entries.size, turnBytes });
}

function schedule(state: State, afterMs = state.sweepEveryMs): void {
  state.timer ??= setTimeout(() => void review(state), afterMs).unref();
}

/** Measures turns, and ends one if memory runs out. Never rejects. */
async function review(state: State): Promise<void> {
  const { entries, o, sweepEveryMs } = state;
  const isScarce = roomOf(state).turns < scarceTurns;
  try {
    if (performance.now() - state.sweptAt >= sweepEveryMs) await sweep(state, isScarce ? Infinity : perSweepMax);
    if (isScarce) await makeRoom(state);
  } catch (error) {
    o.log.warn({ err: error }, "worker.memory_review_failed");
  }
  state.timer = undefined;
  const isRunning = [...entries].some(({ phase }) => phase === "running");
  if (isRunning) schedule(state, isScarce ? sweepEveryMs * scarceSweeps : sweepEveryMs);
  else [state.fullSince, state.sweptAt] = [undefined, -Infinity];
}

/** Measures at most `max` turns: those first that were never measured, then those measured longest ago. */
async function sweep(state: State, max: number): Promise<void> {
  state.sweptAt = performance.now();
  const running = [...state.entries].filter((one) => one.phase === "running" && !one.isBeingMeasured);
  const due = [...running.filter(({ isMeasured }) => !isMeasured), ...running.filter(({ isMeasured }) => isMeasured)];
  const measured = Promise.all(due.slice(0, max).map((entry) => measure(entry, state)));
  // A sandbox that cannot be measured in time does not delay what the others need.
  await Promise.race([measured, sleep(state.sweepEveryMs, undefined, { ref: false })]);
}

async function measure(entry: Entry, state: State): Promise<void> {
  const { entries, sizes, sweepEveryMs } = state;
  const { turn } = entry;
  entry.isBeingMeasured = true;
  const { memoryBytes, cpuSeconds } = (await turn?.measure().catch((): TurnMeasurement => ({}))) ?? {};
  entry.isBeingMeasured = false;
  // The turn may have ended, or have started another sandbox.
  if (turn === undefined || entry.turn !== turn || !entries.delete(entry)) return;
  entries.add(entry);
  entry.isMeasured = true;
  noteProcessor(entry, cpuSeconds, sweepEveryMs);
  if (memoryBytes === undefined) return;
  entry.heldBytes = memoryBytes;
  if (!isReserved(state, entry)) settle(entry, turn.agent, sizes);
}

/** Remembers once per turn what it held after its first seconds, or when it ended before. */
function settle(entry: Entry, agent: string, sizes: AgentSizes): void {
  if (!entry.isSettled) sizes.add(agent, entry.heldBytes);
  entry.isSettled = true;
}

/** Ends sandboxes that serve no turn, then turns. */
async function makeRoom(state: State): Promise<void> {
  const { o } = state;
  const room = roomOf(state);
  if (room.turns > 0) return void (state.fullSince = undefined);
  // The memory of an evicted sandbox comes back when its processes are dead, so wait once.
  state.isEvicting = o.evictIdle?.() === true && !state.isEvicting;
  if (state.isEvicting) return;
  if (!room.isCritical) return void giveShares(state);
  if (isEnding(state)) return;
  await sweep(state, Infinity);
  if (!roomOf(state).isCritical) return;
  const holder = findLargestHolder(holdingTurns(state));
  // One turn at a time.
  if (holder !== undefined && !isEnding(state)) endLargest(state, holder, false);
}

/**
 * If no turn has fitted for some time, checks which organizations wait, and ends a turn for them. Never rejects. The
 * caller does not wait for it: a slow database must not delay reviews.
 */
async function giveShares(state: State): Promise<void> {
  const { listWaiting, log } = state.o;
  const now = performance.now();
  state.fullSince ??= now;
  const isDue = now - state.fullSince >= shareSweeps * state.sweepEveryMs;
  if (!isDue || listWaiting === undefined || state.isAsking) return;
  state.fullSince = now;
  state.isAsking = true;
  try {
    endForOthers(state, new Set(await listWaiting()));
  } catch (error) {
    log.warn({ err: error }, "worker.memory_review_failed");
  } finally {
    state.isAsking = false;
  }
}

/** Ends the largest turn of the organization that holds most, if that is more than its share. */
function endForOthers(state: State, waiting: ReadonlySet<string>): void {
  const stillWaiting = new Set([...waiting].filter((id) => state.waited.has(id)));
  state.waited = waiting;
  const turns = holdingTurns(state);
  // An organization keeps its only turn, which may use its whole limit.
  const holder = findLargestHolder(turns, 2);
  const isFull = roomOf(state).turns === 0 && !isEnding(state);
  if (holder !== undefined && isFull && isAboveShare(holder, turns, stillWaiting)) endLargest(state, holder, true);
}

function holdingTurns({ entries }: State): Entry[] {
  return [...entries].filter((one) => one.phase === "running" && one.isMeasured && one.endedAt === undefined);
}

/** Returns whether a turn was just told to end. Its memory comes back when its processes are dead. */
function isEnding({ entries, sweepEveryMs }: State): boolean {
  const since = performance.now() - endingSweeps * sweepEveryMs;
  return [...entries].some(({ phase, endedAt = -Infinity }) => phase === "running" && endedAt > since);
}

function endLargest(state: State, { organizationId: org, largest }: LargestHolder<Entry>, isForOthers: boolean): void {
  const { o } = state;
  largest.endedAt = performance.now();
  const { heldBytes, turn } = largest;
  const { availableBytes } = roomOf(state);
  const fields = { org, version: turn?.agent, bytes: heldBytes, available_bytes: availableBytes };
  o.log.warn({ ...fields, for_others: isForOthers }, "worker.memory_ended_turn");
  turn?.end({ heldBytes, isForOthers });
}

function noteProcessor(entry: Entry, seconds: number | undefined, leastMs: number): void {
  const at = performance.now();
  // A sandbox whose processor time is unknown is not known to compute.
  if (seconds === undefined) entry.isComputing = false;
  else if (entry.cpu === undefined) entry.cpu = { seconds, at };
  else if (at - entry.cpu.at >= leastMs / 2) {
    entry.isComputing = (seconds - entry.cpu.seconds) * 1_000 > computingPart * (at - entry.cpu.at);
    entry.cpu = { seconds, at };
  }
}
