// What lies in a cache by name: who uses it, how large it is, and what goes first when it is too much. Knows no disk.

export interface ShelfLease {
  /** Idempotent. */
  release(): void;
}

export interface Entry<T> {
  readonly ready: Promise<T>;
  /** Undefined until ready. */
  bytes: number | undefined;
  /** Another entry that this one needs for as long as it is there. */
  needs: ShelfLease | undefined;
  users: number;
  /** Grows with each use; the smallest is evicted first. */
  usedAt: number;
  /** When it was last marked as used, for a later process. Milliseconds by this process's clock. */
  touchedAt: number;
}

export class Shelf<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #maxBytes: number;
  readonly #evicted: (name: string) => void;
  #clock = 0;

  /** `evicted` is told the names that are no longer here. */
  constructor(maxBytes: number, evicted: (name: string) => void) {
    this.#maxBytes = maxBytes;
    this.#evicted = evicted;
  }

  get(name: string): Entry<T> | undefined {
    return this.#entries.get(name);
  }

  all(): Entry<T>[] {
    return [...this.#entries.values()];
  }

  add(name: string, ready: Promise<T>, bytes?: number): Entry<T> {
    const usedAt = (this.#clock += 1);
    const entry = { ready, needs: undefined, bytes, users: 0, usedAt, touchedAt: -Infinity };
    this.#entries.set(name, entry);
    return entry;
  }

  /** Returns a lease. The entry stays until the lease is released. */
  use(entry: Entry<T>): ShelfLease {
    entry.users += 1;
    entry.usedAt = this.#clock += 1;
    let released = false;
    return {
      release: () => {
        if (released) return;
        released = true;
        entry.users -= 1;
        this.evict();
      },
    };
  }

  /** Forgets the entry, if it is still the one of this name. */
  drop(name: string, entry: Entry<T>): void {
    if (this.#entries.get(name) === entry) this.#entries.delete(name);
  }

  /** Lets idle entries go, least recently used first, until the rest is within the bound. */
  evict(): void {
    const idle = [...this.#entries].filter(([, one]) => one.users === 0 && one.bytes !== undefined);
    idle.sort(([, a], [, b]) => a.usedAt - b.usedAt);
    let total = this.all().reduce((sum, one) => sum + (one.bytes ?? 0), 0);
    for (const [name, one] of idle) {
      if (total <= this.#maxBytes) return;
      total -= one.bytes ?? 0;
      this.#entries.delete(name);
      this.#evicted(name);
      if (one.needs === undefined) continue;
      // Evicts again: what it needed may be idle now.
      one.needs.release();
      return;
    }
  }
}
