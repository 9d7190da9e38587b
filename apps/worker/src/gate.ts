// How many turns run at once. Whoever fetches work asks first, so that nothing waits here that another could run.

export interface Gate {
  readonly free: number;
  /** Resolves once a slot is free, or when the gate closes. */
  opened(): Promise<void>;
  /** Takes a slot if one is free; returns the way to give it back. */
  tryEnter(): (() => void) | undefined;
  /** No more slots from here on; whoever waits is let go. */
  close(): void;
  readonly closed: boolean;
  /** Resolves when nothing holds a slot. */
  emptied(): Promise<void>;
}

export function createGate(slots: number): Gate {
  let taken = 0;
  let closed = false;
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const resolve of waiting) resolve();
    waiting.clear();
  };
  const changed = (): Promise<void> => new Promise((resolve) => waiting.add(resolve));

  return {
    get free() {
      return closed ? 0 : slots - taken;
    },
    get closed() {
      return closed;
    },
    async opened() {
      while (!closed && taken >= slots) await changed();
    },
    tryEnter() {
      if (closed || taken >= slots) return undefined;
      taken += 1;
      let left = false;
      return () => {
        if (left) return;
        left = true;
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
