// The entries of a cache by name: their users, their sizes, and the order of eviction. Does not access the disk.

export interface ShelfLease {
  /** Idempotent. */
  release(): void;
}

export interface Entry<T> {
  readonly ready: Promise<T>;
  /** Undefined until ready. */
  bytes: number | undefined;
  /** Another entry that this one needs while it exists. */
  needs: ShelfLease | undefined;
  users: number;
  /** Grows with each use. The smallest is evicted first. */
  usedAt: number;
  /** When its last use was last written for a later process, in milliseconds by this process's clock. */
  touchedAt: number;
}

export class LruCache<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #maxBytes: number;
  readonly #evicted: (name: string) => void;
  #clock = 0;

  /** `evicted` is called with the name of each evicted entry. */
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

  /** Removes the entry if it still has this name. */
  drop(name: string, entry: Entry<T>): void {
    if (this.#entries.get(name) === entry) this.#entries.delete(name);
  }

  /** Evicts idle entries, least recently used first, until the rest is within the limit. */
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
      // Evict again, because what it needed may be idle now.
      one.needs.release();
      return;
    }
  }
}
