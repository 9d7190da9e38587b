// Limits the number of concurrent turns, by slots and memory. Feeds fetch work only if a slot is free, so that no turn
// waits in this worker while another worker could run it.

export interface GateOptions {
  /** Maximum number of concurrent turns. The machine's memory must be enough for all of them. */
  readonly slots: number;
  /** Whether this machine has memory for one more turn now. Called before each turn. Default: always. */
  readonly hasFreeMemory?: () => boolean;
}

export interface Gate {
  /** Free slots; 0 while memory is short. */
  readonly free: number;
  /** Slots with a turn. */
  readonly taken: number;
  /** The sum of taken and free slots, which the worker reports to the dispatcher. */
  readonly offered: number;
  /** Resolves once a slot is free, or when the gate closes. */
  opened(): Promise<void>;
  /** Takes a slot if one is free, and returns the function that releases it. */
  tryEnter(): (() => void) | undefined;
  /** Gives no more slots. Callers that wait for a slot continue. */
  close(): void;
  readonly closed: boolean;
  /** Resolves when no slot is taken. */
  emptied(): Promise<void>;
}

/** How often memory is read while it is short, in milliseconds. The system sends no notification. */
const readMemoryEveryMs = 250;

export function createGate({ slots, hasFreeMemory = () => true }: GateOptions): Gate {
  let taken = 0;
  let closed = false;
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const resolve of waiting) resolve();
    waiting.clear();
  };
  const changed = (withinMs?: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = withinMs === undefined ? undefined : setTimeout(() => waiting.delete(done) && resolve(), withinMs);
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      waiting.add(done);
    });
  const free = (): number => (closed || taken >= slots || !hasFreeMemory() ? 0 : slots - taken);

  return {
    get free() {
      return free();
    },
    get taken() {
      return taken;
    },
    get offered() {
      return taken + free();
    },
    get closed() {
      return closed;
    },
    async opened() {
      while (!closed && free() === 0) await changed(taken < slots ? readMemoryEveryMs : undefined);
    },
    tryEnter() {
      if (free() === 0) return undefined;
      taken += 1;
      let isReleased = false;
      return () => {
        if (isReleased) return;
        isReleased = true;
        taken -= 1;
        wake();
      };
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
