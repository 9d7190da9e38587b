// Decides when the next sandboxes are preloaded: one after the other, the latest request first, and not while turns
// need the machine.

export interface RefillQueue<T> {
  /**
   * Requests one more sandbox like this, after a short delay. With `isSpare` it is started only if there is a free
   * place and none like it is preloaded; otherwise another sandbox may be evicted for it.
   */
  request(recipe: T, o?: { readonly isSpare: boolean }): void;
  /** Drops the requests that match. */
  cancelWhere(matches: (recipe: T) => boolean): void;
  /** Drops all requests. From now on nothing is started. */
  close(): void;
}

/** Starting a sandbox occupies a processor for about this long, in milliseconds. */
const paceMs = 40;
/** Maximum number of requests while nothing can be started. The oldest are dropped. */
const requestsMax = 256;

export function createRefillQueue<T extends { readonly key: string }>(o: {
  /** How long to wait after a turn's end, while its result is saved and sent, in milliseconds. */
  readonly delayMs: number;
  /** Whether the machine is idle enough. */
  canStart(): boolean;
  /** Starts a sandbox if one is missing. Returns whether still more are. */
  refill(recipe: T, o: { readonly isSpare: boolean }): boolean;
}): RefillQueue<T> {
  const requests = new Map<string, { readonly recipe: T; readonly isSpare: boolean }>();
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  function refillOne(): void {
    timer = undefined;
    const latest = isClosed ? undefined : [...requests.values()].at(-1);
    if (latest === undefined || !o.canStart()) return;
    const { key } = latest.recipe;
    requests.delete(key);
    if (o.refill(latest.recipe, latest)) requests.set(key, latest);
    if (requests.size > 0) timer = setTimeout(refillOne, paceMs).unref();
  }

  return {
    request(recipe, { isSpare } = { isSpare: false }) {
      const isOnlySpare = isSpare && requests.get(recipe.key)?.isSpare !== false;
      requests.delete(recipe.key);
      requests.set(recipe.key, { recipe, isSpare: isOnlySpare });
      if (requests.size > requestsMax) requests.delete(requests.keys().next().value!);
      if (timer !== undefined) return;
      if (o.delayMs === 0) refillOne();
      else timer = setTimeout(refillOne, o.delayMs).unref();
    },
    cancelWhere(matches) {
      for (const [key, { recipe }] of requests) if (matches(recipe)) requests.delete(key);
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
      requests.clear();
    },
  };
}
