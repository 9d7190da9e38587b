// Counts turns and builds from their admission to their end. Says how many more fit into memory, and ends a turn if it
// runs out.

import { limits } from "@dari/domain";
import type { Logger } from "@dari/runtime";
import type { Memory } from "./memory.ts";
import { findRoom, findTurnToEnd, type HoldingTurn, type MemoryRoom } from "./memory-room.ts";

/** The memory of the turns of one worker. */
export interface TurnMemory {
  /** Returns how many more turns can be admitted, and whether memory is scarce. */
  room(): MemoryRoom;
  /** Counts one more turn from now on. */
  admit(): AdmittedTurn;
  /**
   * Counts one more build, until the returned function is called. What builds hold is not measured: no turn is ended
   * while the turns together hold less than the builds may. Idempotent.
   */
  startBuild(): () => void;
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
  /** Ends everything that waits for turns, before a turn is ended. Returns whether there was anything. */
  readonly endWaiting: () => boolean;
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
/** The time after an end until the available memory shows what it gave back, in milliseconds. */
const givenBackMs = 300;
/** The time until the turns are measured again after none was ended. It doubles each time. In milliseconds. */
const measuredAgainMs = { first: 1_000, most: 16_000 };

interface Entry {
  readonly isBuild: boolean;
  youngUntil: number;
  turn: TrackedTurn | undefined;
}

export function createRunningTurns(o: RunningTurnsOptions): TurnMemory {
  const { readMemory, expectedMaxBytes, youngMs = defaultYoungMs } = o;
  const entries = new Set<Entry>();
  let timer: NodeJS.Timeout | undefined;
  let idleBytes = usedOf(readMemory());

  function room(): MemoryRoom {
    const [now, memory] = [performance.now(), readMemory()];
    const young = [...entries].filter(({ youngUntil }) => youngUntil > now).length;
    if (entries.size === 0) idleBytes = usedOf(memory);
    return findRoom({ ...memory, idleBytes, turns: entries.size, young, expectedMaxBytes });
  }

  const ender = createTurnEnder(o, room);

  function add(isBuild: boolean): { readonly entry: Entry; remove(): void } {
    const entry: Entry = { isBuild, youngUntil: performance.now() + youngMs, turn: undefined };
    entries.add(entry);
    timer ??= setInterval(() => ender.check(entries), o.checkEveryMs ?? defaultCheckEveryMs).unref();
    return {
      entry,
      remove() {
        entries.delete(entry);
        if (entries.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      },
    };
  }

  return {
    room,
    admit() {
      const { entry, remove } = add(false);
      return {
        track(turn) {
          Object.assign(entry, { turn, youngUntil: performance.now() + youngMs });
          return () => {
            if (entry.turn === turn) entry.turn = undefined;
            ender.turnEnded(turn);
          };
        },
        leave: remove,
      };
    },
    startBuild: () => add(true).remove,
  };
}

interface TurnEnder {
  /** If memory is missing, ends what waits for turns, and then one turn. */
  check(entries: ReadonlySet<Entry>): void;
  turnEnded(turn: TrackedTurn): void;
}

function createTurnEnder({ readMemory, endWaiting, log }: RunningTurnsOptions, room: () => MemoryRoom): TurnEnder {
  /** Turns that were told to end. */
  const ending = new Set<TrackedTurn>();
  let quietUntil = 0;
  let againMs = measuredAgainMs.first;
  let wasShort = false;

  function check(entries: ReadonlySet<Entry>): void {
    const [now, { missingBytes }] = [performance.now(), room()];
    if (missingBytes === 0) {
      againMs = measuredAgainMs.first;
      wasShort = false;
      return;
    }
    if (now < quietUntil) return;
    const isNew = !wasShort;
    wasShort = true;
    // Turns that end can leave sandboxes that wait again, so an end of a turn is put off only once.
    if (endWaiting() && isNew) {
      quietUntil = now + givenBackMs;
      return;
    }
    const builds = [...entries].filter(({ isBuild }) => isBuild).length;
    const found = findTurn(
      [...entries].flatMap(({ turn }) => turn ?? []),
      Math.max(missingBytes, builds * limits.buildMemoryBytes),
    );
    if (found === undefined) {
      quietUntil = now + againMs;
      againMs = Math.min(2 * againMs, measuredAgainMs.most);
      return;
    }
    quietUntil = now + endingMs;
    end(found);
  }

  /** Measures the turns, and returns the one to end. Undefined if they hold less than `leastBytes` together. */
  function findTurn(turns: readonly TrackedTurn[], leastBytes: number): HeldTurn | undefined {
    const holding = turns.map((turn) => ({ turn, organizationId: turn.organizationId, heldBytes: turn.memoryBytes() }));
    const heldBytes = holding.reduce((sum, one) => sum + one.heldBytes, 0);
    if (heldBytes < Math.max(leastBytes, ownPartMin * usedOf(readMemory()))) return undefined;
    return findTurnToEnd(holding.filter(({ turn }) => !ending.has(turn)));
  }

  function end({ turn, organizationId: org, heldBytes: bytes }: HeldTurn): void {
    ending.add(turn);
    const fields = { org, version: turn.versionId, bytes, available_bytes: readMemory().availableBytes };
    log.warn(fields, "worker.memory_ended_turn");
    turn.end(bytes);
  }

  return {
    check,
    turnEnded(turn) {
      if (ending.delete(turn)) quietUntil = performance.now() + givenBackMs;
    },
  };
}

interface HeldTurn extends HoldingTurn {
  readonly turn: TrackedTurn;
}

function usedOf({ totalBytes, availableBytes }: Memory): number {
  return totalBytes - availableBytes;
}
