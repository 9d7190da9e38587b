// Counts turns from their admission to their end. Says how many more fit into memory and which organizations' turns
// compute, and ends a turn if memory runs out.

import { setImmediate as nextLoop } from "node:timers/promises";
import type { Logger } from "@dari/runtime";
import type { Memory } from "./memory.ts";
import { findRoom, findTurnToEnd, turnBytes, type MemoryRoom } from "./memory-room.ts";

/** The memory of the turns of one worker. */
export interface TurnMemory {
  /** Returns how many more turns can be admitted, and whether memory is scarce. */
  room(): MemoryRoom;
  /** Counts one more turn from now on. */
  admit(): AdmittedTurn;
  /**
   * Returns how many turns of each organization have used a processor since the last call, at most ten seconds ago.
   * Turns that run only since then do not count: they start. Never rejects.
   */
  countComputing(): Promise<Readonly<Record<string, number>>>;
}

export interface AdmittedTurn {
  /** Measures the turn's sandbox from now on. Returns the function that ends that. */
  track(turn: TrackedTurn): () => void;
  /** Stops counting the turn. Idempotent. */
  leave(): void;
}

export interface TrackedTurn {
  readonly organizationId: string;
  readonly versionId: string;
  /** Returns what the sandbox uses now. Undefined: it cannot be measured. */
  measure(): Promise<TurnMeasurement>;
  /** Ends the turn, because the worker has no memory left. Called at most once. */
  end(heldBytes: number): void;
}

export interface TurnMeasurement {
  readonly memoryBytes?: number | undefined;
  /** Processor time so far. */
  readonly cpuSeconds?: number | undefined;
}

export interface RunningTurnsOptions {
  readonly readMemory: () => Memory;
  /** The most that a young turn is expected to hold, in bytes. */
  readonly expectedMaxBytes: number;
  /** Ends sandboxes that serve no turn. Returns whether there were any. */
  readonly evictIdle: () => boolean;
  readonly log: Logger;
  /** How long a turn is young after its admission, and after its sandbox starts, in milliseconds (default: 3 s). */
  readonly youngMs?: number;
  /** How often the memory is read while turns run, in milliseconds (default: 200). */
  readonly checkEveryMs?: number;
}

const defaultYoungMs = 3_000;
const defaultCheckEveryMs = 200;
/** How much the last measured turn changes what is expected of the next ones. */
const lastTurnPart = 1 / 8;
/**
 * A worker whose turns hold all the memory in use ends a turn at once. One whose turns hold none of it waits for this
 * time: another worker or program of the machine has grown, and may give memory back. In milliseconds.
 */
const waitForOthersMs = 2_000;
/** If a turn that must end has not ended after this time, another one can be ended. In milliseconds. */
const endingMs = 10_000;
/** A turn computes if it uses this part of a processor. While a hundred turns share one, each still does. */
const computingPart = 0.01;
const cpuFreshMs = 10_000;
/** Turns that are measured before other work of this process continues. */
const measuredAtOnce = 64;

interface Entry {
  youngUntil: number;
  turn: TrackedTurn | undefined;
  /** Whether it was measured after its first seconds. */
  isKnown: boolean;
  /** When it was told to end. */
  endedAt: number | undefined;
  /** The last measurement of its processor time. */
  cpu: { readonly seconds: number; readonly at: number } | undefined;
}

/** Shared state of the turns of one worker. */
interface State {
  readonly o: RunningTurnsOptions;
  readonly youngMs: number;
  readonly entries: Set<Entry>;
  timer: NodeJS.Timeout | undefined;
  /** What turns hold after their first seconds, on average. The last turns count most. */
  expectedBytes: number;
  /** When a turn may end; undefined while no memory is missing. */
  endAt: number | undefined;
  /** Whether sandboxes that serve no turn were ended since memory is missing. */
  isEvicted: boolean;
}

export function createRunningTurns(o: RunningTurnsOptions): TurnMemory {
  const state: State = {
    o,
    youngMs: o.youngMs ?? defaultYoungMs,
    entries: new Set(),
    timer: undefined,
    expectedBytes: turnBytes,
    endAt: undefined,
    isEvicted: false,
  };
  return {
    room: () => roomOf(state),
    admit: () => admit(state),
    countComputing: () => countComputing(state),
  };
}

function admit(state: State): AdmittedTurn {
  const { entries, youngMs } = state;
  const youngUntil = performance.now() + youngMs;
  const entry: Entry = { youngUntil, turn: undefined, isKnown: false, endedAt: undefined, cpu: undefined };
  entries.add(entry);
  schedule(state);
  return {
    track(turn) {
      const fresh = { youngUntil: performance.now() + youngMs, isKnown: false, endedAt: undefined, cpu: undefined };
      Object.assign(entry, { turn, ...fresh });
      return () => {
        if (entry.turn === turn) entry.turn = undefined;
      };
    },
    leave: () => void entries.delete(entry),
  };
}

function roomOf({ o, entries, expectedBytes }: State): MemoryRoom {
  const now = performance.now();
  const young = [...entries].filter(({ youngUntil }) => youngUntil > now).length;
  return findRoom({ ...o.readMemory(), turns: entries.size, young, expectedBytes });
}

/** Reviews the memory as long as there are turns. */
function schedule(state: State): void {
  const { o, entries } = state;
  state.timer ??= setTimeout(async () => {
    await review(state).catch((error: unknown) => o.log.warn({ err: error }, "worker.memory_review_failed"));
    state.timer = undefined;
    if (entries.size > 0) schedule(state);
  }, o.checkEveryMs ?? defaultCheckEveryMs).unref();
}

async function review(state: State): Promise<void> {
  await learn(state);
  if (roomOf(state).missingBytes > 0) await makeRoom(state);
  else [state.endAt, state.isEvicted] = [undefined, false];
}

/** Measures each turn once, when its first seconds are over. */
async function learn(state: State): Promise<void> {
  const now = performance.now();
  for (const entry of state.entries) {
    if (entry.turn === undefined || entry.isKnown || entry.youngUntil > now) continue;
    entry.isKnown = true;
    const { memoryBytes } = await measure(entry.turn);
    if (memoryBytes === undefined) continue;
    const bounded = Math.max(turnBytes, Math.min(state.o.expectedMaxBytes, memoryBytes));
    state.expectedBytes += (bounded - state.expectedBytes) * lastTurnPart;
  }
}

/** Ends sandboxes that serve no turn, then one turn at a time. */
async function makeRoom(state: State): Promise<void> {
  const { o, entries } = state;
  // The memory of an evicted sandbox comes back when its processes are dead.
  if (!state.isEvicted && ((state.isEvicted = true), o.evictIdle())) return;
  const isEnding = ({ turn, endedAt = -Infinity }: Entry): boolean =>
    turn !== undefined && performance.now() - endedAt < endingMs;
  if ([...entries].some(isEnding)) return;
  if (state.endAt !== undefined && performance.now() < state.endAt) return;
  const holding = await measureAll(state);
  const heldBytes = holding.reduce((sum, one) => sum + one.heldBytes, 0);
  // Memory may have come back in the meantime.
  const { missingBytes } = roomOf(state);
  if (missingBytes === 0) return;
  const { totalBytes, availableBytes } = o.readMemory();
  // If these turns hold less than what is missing, ending them cannot help.
  const canHelp = heldBytes >= missingBytes;
  const part = canHelp ? Math.min(1, heldBytes / (totalBytes - availableBytes)) : 0;
  if (canHelp && state.endAt !== undefined) return endTurn(state, holding);
  state.endAt = performance.now() + waitForOthersMs * (1 - part);
}

/** Ends the largest turn of the organization whose turns hold most. */
function endTurn(state: State, holding: readonly Holding[]): void {
  const { log, readMemory } = state.o;
  const found = findTurnToEnd(holding.filter(({ entry }) => entry.endedAt === undefined));
  if (found === undefined) return;
  const { entry, turn, organizationId, heldBytes } = found;
  if (entry.turn !== turn) return;
  [entry.endedAt, state.endAt] = [performance.now(), undefined];
  const { availableBytes } = readMemory();
  const fields = { org: organizationId, version: turn.versionId, bytes: heldBytes, available_bytes: availableBytes };
  log.warn(fields, "worker.memory_ended_turn");
  turn.end(heldBytes);
}

interface Holding {
  readonly entry: Entry;
  readonly turn: TrackedTurn;
  readonly organizationId: string;
  readonly heldBytes: number;
}

async function measureAll({ entries }: State): Promise<Holding[]> {
  const holding: Holding[] = [];
  await forEachTurn(entries, (entry, turn, { memoryBytes: heldBytes = 0 }) => {
    holding.push({ entry, turn, organizationId: turn.organizationId, heldBytes });
  });
  return holding;
}

async function countComputing({ entries }: State): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  await forEachTurn(entries, (entry, { organizationId: id }, { cpuSeconds: seconds }) => {
    const { cpu: before } = entry;
    const at = performance.now();
    entry.cpu = seconds === undefined ? undefined : { seconds, at };
    if (seconds === undefined || before === undefined || at - before.at > cpuFreshMs) return;
    if ((seconds - before.seconds) * 1_000 > computingPart * (at - before.at)) counts[id] = (counts[id] ?? 0) + 1;
  });
  return counts;
}

/** Measures each running turn, and calls `use` unless the turn has ended. Never rejects. */
async function forEachTurn(
  entries: ReadonlySet<Entry>,
  use: (entry: Entry, turn: TrackedTurn, measured: TurnMeasurement) => void,
): Promise<void> {
  let measured = 0;
  for (const entry of [...entries]) {
    const { turn } = entry;
    if (turn === undefined) continue;
    const found = await measure(turn);
    if (entry.turn === turn && entries.has(entry)) use(entry, turn, found);
    measured += 1;
    if (measured % measuredAtOnce === 0) await nextLoop();
  }
}

async function measure(turn: TrackedTurn): Promise<TurnMeasurement> {
  return turn.measure().catch(() => ({}));
}
