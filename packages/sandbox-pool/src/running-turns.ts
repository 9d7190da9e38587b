// Measures running turns: says how many more fit into memory and which organizations' turns compute, and ends the turn
// that grew most if memory runs out.

import type { Logger } from "@dari/runtime";
import type { Memory } from "./memory.ts";
import {
  createTurnSizes,
  findLargestExcess,
  findRoom,
  reserveOf,
  type MemoryRoom,
  type TurnSizes,
  type TurnUse,
} from "./memory-room.ts";

export interface RunningTurns {
  /** Returns how many more turns fit. `starting`: turns that were admitted and have no sandbox yet (default: 0). */
  room(starting?: number): MemoryRoom;
  /** Returns how many turns of each organization use a processor. Organizations without such turns are absent. */
  countComputing(): Readonly<Record<string, number>>;
  /** Counts the turn from now on. Returns the function that ends that. */
  track(turn: TrackedTurn): () => void;
}

export interface TrackedTurn {
  readonly organizationId: string;
  /** Turns with the same value are expected to need the same memory. */
  readonly agent: string;
  measure(): Promise<TurnMeasurement>;
  /** Ends the turn, because the worker has no memory left. Called at most once. */
  end(heldBytes: number): void;
}

/** Undefined: it cannot be measured. */
export interface TurnMeasurement {
  readonly memoryBytes?: number | undefined;
  /** Processor time so far. */
  readonly cpuSeconds?: number | undefined;
}

export interface RunningTurnsOptions {
  readonly readMemory: () => Memory;
  /** The most that all turns together may hold, in bytes (default: what the machine has). */
  readonly budgetBytes?: number | undefined;
  /** What a turn is expected to hold until some were measured, in bytes. */
  readonly firstBytes: number;
  readonly log: Logger;
  /** How often turns are measured, in milliseconds (default: 1 s, and 100 ms while memory is scarce). */
  readonly everyMs?: number;
}

const defaultEveryMs = 1_000;
const scarceEveryMs = 100;
/** The turns that are measured in one pass. All are measured while memory is scarce. */
const perPassMax = 32;
/** A turn of this age has what it needs at first, so its size says what others will need. In milliseconds. */
const settledMs = 1_000;
/** Memory is scarce below this many reserves. */
const scarceReserves = 3;
/** A turn computes if it uses this part of a processor. While a hundred turns share one, each still does. */
const computingPart = 0.01;

interface Entry extends TurnUse {
  readonly turn: TrackedTurn;
  readonly startedAt: number;
  heldBytes: number | undefined;
  /** The last measurement of its processor time. */
  cpu: { readonly seconds: number; readonly at: number } | undefined;
  /** Undefined: it was not measured twice. */
  isComputing: boolean | undefined;
  isEnding: boolean;
}

/** Shared state of the running turns of one worker. */
interface State {
  readonly o: RunningTurnsOptions;
  readonly sizes: TurnSizes;
  /** The turn that was not measured for longest is first. */
  readonly entries: Set<Entry>;
  timer: NodeJS.Timeout | undefined;
  /** The available memory at the last pass. */
  last: { readonly at: number; readonly availableBytes: number } | undefined;
  /** How fast the available memory shrinks, in bytes per second. */
  shrinkingBytes: number;
}

export function createRunningTurns(o: RunningTurnsOptions): RunningTurns {
  const sizes = createTurnSizes(o.firstBytes);
  const state: State = { o, sizes, entries: new Set(), timer: undefined, last: undefined, shrinkingBytes: 0 };
  const { entries } = state;
  return {
    room: (starting = 0) => roomOf(state, starting),
    countComputing() {
      const counts: Record<string, number> = {};
      for (const { turn, isComputing } of entries) {
        if (isComputing === true) counts[turn.organizationId] = (counts[turn.organizationId] ?? 0) + 1;
      }
      return counts;
    },
    track(turn) {
      const [expectedBytes, startedAt] = [sizes.expectedOf(turn.agent), performance.now()];
      const unknown = { heldBytes: undefined, cpu: undefined, isComputing: undefined };
      const entry: Entry = { turn, expectedBytes, startedAt, ...unknown, isEnding: false };
      entries.add(entry);
      schedule(state);
      return () => void entries.delete(entry);
    },
  };
}

function roomOf(state: State, starting: number): MemoryRoom {
  const { entries: turns, shrinkingBytes, sizes } = state;
  return findRoom({ ...readMemory(state), shrinkingBytes, turns, starting, usualBytes: sizes.usualBytes });
}

/** Returns the memory of the worker, within its budget. */
function readMemory({ o, entries }: State): Memory {
  const memory = o.readMemory();
  if (o.budgetBytes === undefined) return memory;
  let heldBytes = 0;
  for (const entry of entries) heldBytes += entry.heldBytes ?? 0;
  const availableBytes = Math.min(memory.availableBytes, o.budgetBytes - heldBytes);
  return { ...memory, totalBytes: Math.min(memory.totalBytes, o.budgetBytes), availableBytes };
}

function isScarce(state: State): boolean {
  const { availableBytes, totalBytes } = readMemory(state);
  return availableBytes < scarceReserves * reserveOf(totalBytes);
}

function schedule(state: State, afterMs = state.o.everyMs ?? defaultEveryMs): void {
  state.timer ??= setTimeout(() => void review(state), afterMs).unref();
}

/** Measures turns, and ends one if memory runs out. Never rejects. */
async function review(state: State): Promise<void> {
  const { entries, o } = state;
  const due = listDue(entries, isScarce(state) ? Infinity : perPassMax);
  await Promise.all(due.map((entry) => measure(entry, state)));
  followShrinking(state);
  if (roomOf(state, 0).isCritical) endLargest(state);
  state.timer = undefined;
  if (entries.size > 0) schedule(state, isScarce(state) ? Math.min(scarceEveryMs, o.everyMs ?? Infinity) : undefined);
  else [state.last, state.shrinkingBytes] = [undefined, 0];
}

async function measure(entry: Entry, { entries, sizes }: State): Promise<void> {
  const { memoryBytes, cpuSeconds } = await entry.turn.measure().catch((): TurnMeasurement => ({}));
  // The turn may have ended.
  if (!entries.delete(entry)) return;
  entries.add(entry);
  noteProcessor(entry, cpuSeconds);
  if (memoryBytes === undefined) return;
  entry.heldBytes = memoryBytes;
  if (performance.now() - entry.startedAt >= settledMs) sizes.add(entry.turn.agent, memoryBytes);
}

function followShrinking(state: State): void {
  const [at, { availableBytes }] = [performance.now(), readMemory(state)];
  const { last } = state;
  const rate = last === undefined ? 0 : ((last.availableBytes - availableBytes) * 1_000) / (at - last.at);
  state.shrinkingBytes = Math.max(rate, state.shrinkingBytes / 2, 0);
  state.last = { at, availableBytes };
}

/** Ends one turn at a time: the memory of the last one comes back when its processes are dead. */
function endLargest(state: State): void {
  const { entries, o } = state;
  if ([...entries].some((entry) => entry.isEnding)) return;
  const largest = findLargestExcess(entries);
  if (largest?.heldBytes === undefined) return;
  largest.isEnding = true;
  const { agent: version, organizationId: org } = largest.turn;
  const { availableBytes } = readMemory(state);
  const fields = { org, version, bytes: largest.heldBytes, available_bytes: availableBytes };
  o.log.warn(fields, "worker.memory_ended_turn");
  largest.turn.end(largest.heldBytes);
}

/** Returns the turns to measure: first those of which it is not known whether they compute. */
function listDue(entries: Iterable<Entry>, max: number): Entry[] {
  const all = [...entries];
  if (all.length <= max) return all;
  const isNew = ({ isComputing }: Entry): boolean => isComputing === undefined;
  return [...all.filter(isNew), ...all.filter((entry) => !isNew(entry))].slice(0, max);
}

function noteProcessor(entry: Entry, seconds: number | undefined): void {
  const at = performance.now();
  // What a sandbox without control groups cannot tell is not known to compute.
  if (seconds === undefined) entry.isComputing = false;
  else if (entry.cpu === undefined) entry.cpu = { seconds, at };
  else if (at - entry.cpu.at >= settledMs / 2) {
    entry.isComputing = (seconds - entry.cpu.seconds) * 1_000 > computingPart * (at - entry.cpu.at);
    entry.cpu = { seconds, at };
  }
}
