// Limits the concurrent turns of this worker: by a maximum, by memory, and by how many start at the same time. Feeds
// fetch work only if a turn is admitted, so that no turn waits in this worker while another worker could run it.

import { availableParallelism } from "node:os";
import type { AdmittedTurn, TurnMemory } from "@dari/sandbox-pool";

/** Turns that start at the same time: a start takes a processor for about 50 ms, and waits for the disk as well. */
export const startsMax = Math.max(8, 4 * availableParallelism());

export interface GateOptions {
  /** Maximum number of concurrent turns. */
  readonly slots: number;
  /** Maximum number of turns that start at the same time: each needs a processor until its agent is called. */
  readonly startsMax: number;
  /** Counts the turns and their memory (default: no limit). */
  readonly turns?: Pick<TurnMemory, "admit"> & { room(): { readonly turns: number } };
  /**
   * A turn that starts for longer no longer counts as one, so that agents that load slowly do not keep others waiting.
   * In milliseconds (default: 2 s).
   */
  readonly startingMs?: number;
}

/** The place of one turn. */
export interface Place extends Pick<AdmittedTurn, "track"> {
  /** Tells that the agent is called: another turn can start. Idempotent. */
  started(): void;
  /** Gives the slot back. Idempotent. */
  leave(): void;
}

export interface Gate {
  /** How many turns are admitted now; 0 while memory is short or too many turns start. */
  readonly free: number;
  /** Slots with a turn. */
  readonly taken: number;
  /** Slots with a turn, and those that the memory can hold in addition. The worker reports it to the dispatcher. */
  readonly offered: number;
  /** Resolves once a turn is admitted, or when the gate closes. */
  opened(): Promise<void>;
  /** Takes a slot, if a turn is admitted. */
  tryEnter(): Place | undefined;
  /** Gives no more slots. Callers that wait for a slot continue. */
  close(): void;
  readonly closed: boolean;
  /** Resolves when no slot is taken. */
  emptied(): Promise<void>;
}

/** How often memory is read while it is short, in milliseconds. The system sends no notification. */
const readMemoryEveryMs = 250;
const defaultStartingMs = 2_000;

const unlimited: NonNullable<GateOptions["turns"]> = {
  room: () => ({ turns: Infinity }),
  admit: () => ({ track: () => () => undefined, leave: () => undefined }),
};

export function createGate(o: GateOptions): Gate {
  const { slots, startsMax, turns = unlimited, startingMs = defaultStartingMs } = o;
  let [taken, starting, closed] = [0, 0, false];
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const resolve of waiting) resolve();
    waiting.clear();
  };
  const changed = (withinMs?: number): Promise<void> => waitIn(waiting, withinMs);
  const held = (): number => (closed || taken >= slots ? 0 : Math.min(slots - taken, turns.room().turns));
  const free = (): number => (starting >= startsMax ? 0 : Math.min(startsMax - starting, held()));

  return {
    get free() {
      return free();
    },
    get taken() {
      return taken;
    },
    get offered() {
      return taken + held();
    },
    get closed() {
      return closed;
    },
    async opened() {
      while (!closed && free() === 0) await changed(taken < slots ? readMemoryEveryMs : undefined);
    },
    tryEnter() {
      if (free() === 0) return undefined;
      const admitted = turns.admit();
      taken += 1;
      starting += 1;
      const started = once(() => {
        clearTimeout(timer);
        starting -= 1;
        wake();
      });
      const timer = setTimeout(started, startingMs).unref();
      const leave = once(() => {
        started();
        admitted.leave();
        taken -= 1;
        wake();
      });
      return { track: (turn) => admitted.track(turn), started, leave };
    },
    close() {
      closed = true;
      wake();
    },
    async emptied() {
      while (taken > 0) await changed();
    },
  };
}

function once(run: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    run();
  };
}

/** Resolves when the function that it adds to `waiting` is called, or after this time. */
function waitIn(waiting: Set<() => void>, withinMs: number | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = withinMs === undefined ? undefined : setTimeout(() => waiting.delete(done) && resolve(), withinMs);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    waiting.add(done);
  });
}
