// Listeners by key inside one process. Independent of transports.

export interface Listeners<T> {
  /** Returns the function that stops listening; later calls of it have no effect. */
  add(key: string, listener: (value: T) => void): () => void;
  call(key: string, value: T): void;
  has(key: string): boolean;
}

/** Calls `onFirst` when a key gets its first listener, and `onLast` when it has lost its last. */
export function createListeners<T>(
  edges: { readonly onFirst?: (key: string) => void; readonly onLast?: (key: string) => void } = {},
): Listeners<T> {
  const byKey = new Map<string, Set<(value: T) => void>>();
  return {
    add(key, listener) {
      const set = byKey.get(key) ?? new Set();
      if (set.size === 0) {
        byKey.set(key, set);
        edges.onFirst?.(key);
      }
      set.add(listener);
      return () => {
        if (!set.delete(listener) || set.size > 0 || byKey.get(key) !== set) return;
        byKey.delete(key);
        edges.onLast?.(key);
      };
    },
    call(key, value) {
      for (const listener of [...(byKey.get(key) ?? [])]) listener(value);
    },
    has: (key) => byKey.has(key),
  };
}
