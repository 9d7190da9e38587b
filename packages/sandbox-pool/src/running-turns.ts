// Counts turns from their admission to their end. Says how many more fit into memory, and ends a turn if it runs out.

import type { Logger } from "@dari/runtime";
import type { Memory } from "./memory.ts";
import { findRoom, findTurnToEnd, type MemoryRoom } from "./memory-room.ts";

/** The memory of the turns of one worker. */
export interface TurnMemory {
  /** Returns how many more turns can be admitted, and whether memory is scarce. */
  room(): MemoryRoom;
  /** Counts one more turn from now on. */
  admit(): AdmittedTurn;
}

export interface AdmittedTurn {
  /** From now on the turn's sandbox can be ended if memory runs out. Returns the function that ends that. */
  track(turn: TrackedTurn): () => void;
  /** Stops counting the turn. Idempotent. */
  leave(): void;
}

export interface TrackedTurn {
  readonly organizationId: string;
  readonly versionId: string;
  /** Returns what the sandbox holds now, in bytes. */
  memoryBytes(): number;
  /** Ends the turn, because the worker has no memory left. Called at most once. */
  end(heldBytes: number): void;
}

export interface RunningTurnsOptions {
  readonly readMemory: () => Memory;
  /** The most that a young turn is expected to hold, in bytes. */
  readonly expectedMaxBytes: number;
  readonly log: Logger;
  /** How long a turn is young after its admission, and after its sandbox starts, in milliseconds (default: 3 s). */
  readonly youngMs?: number;
  /** How often the memory is checked while turns run, in milliseconds (default: 200). */
  readonly checkEveryMs?: number;
}

const defaultYoungMs = 3_000;
const defaultCheckEveryMs = 200;
/**
 * The part of the memory in use that the worker's turns must hold, so that one of them ends. If they hold less, other
 * workers or programs of the machine use it, and the kernel decides.
 */
const ownPartMin = 1 / 4;
/** The time until another turn can be ended, while the one that was told to end has not ended. In milliseconds. */
const endingMs = 10_000;
/** The time until the turns are measured again after none was ended, in milliseconds. */
const measuredAgainMs = 1_000;

interface Entry {
  youngUntil: number;
  turn: TrackedTurn | undefined;
}

export function createRunningTurns(o: RunningTurnsOptions): TurnMemory {
  const { readMemory, expectedMaxBytes, log, youngMs = defaultYoungMs } = o;
  const entries = new Set<Entry>();
  /** Turns that were told to end. */
  const ending = new Set<TrackedTurn>();
  let timer: NodeJS.Timeout | undefined;
  let quietUntil = 0;
  let idleBytes = usedOf(readMemory());

  function room(): MemoryRoom {
    const [now, memory] = [performance.now(), readMemory()];
    const young = [...entries].filter(({ youngUntil }) => youngUntil > now).length;
    if (entries.size === 0) idleBytes = usedOf(memory);
    return findRoom({ ...memory, idleBytes, turns: entries.size, young, expectedMaxBytes });
  }

  /** If memory is missing, ends the largest turn of the organization whose turns hold most. */
  function check(): void {
    const { missingBytes } = room();
    if (performance.now() < quietUntil || missingBytes === 0) return;
    quietUntil = performance.now() + measuredAgainMs;
    const memory = readMemory();
    const running = [...entries].flatMap(({ turn }) => turn ?? []);
    const holding = running.map((turn) => {
      return { turn, organizationId: turn.organizationId, heldBytes: turn.memoryBytes() };
    });
    const heldBytes = holding.reduce((sum, one) => sum + one.heldBytes, 0);
    if (heldBytes < Math.max(missingBytes, ownPartMin * usedOf(memory))) return;
    const found = findTurnToEnd(holding.filter(({ turn }) => !ending.has(turn)));
    if (found === undefined) return;
    const { turn, organizationId: org, heldBytes: bytes } = found;
    ending.add(turn);
    quietUntil = performance.now() + endingMs;
    const fields = { org, version: turn.versionId, bytes, available_bytes: memory.availableBytes };
    log.warn(fields, "worker.memory_ended_turn");
    turn.end(bytes);
  }

  return {
    room,
    admit() {
      const entry: Entry = { youngUntil: performance.now() + youngMs, turn: undefined };
      entries.add(entry);
      timer ??= setInterval(check, o.checkEveryMs ?? defaultCheckEveryMs).unref();
      return {
        track(turn) {
          Object.assign(entry, { turn, youngUntil: performance.now() + youngMs });
          return () => {
            if (entry.turn === turn) entry.turn = undefined;
            if (ending.delete(turn)) quietUntil = 0;
          };
        },
        leave() {
          entries.delete(entry);
          if (entries.size > 0) return;
          clearInterval(timer);
          timer = undefined;
        },
      };
    },
  };
}

function usedOf({ totalBytes, availableBytes }: Memory): number {
  return totalBytes - availableBytes;
}
