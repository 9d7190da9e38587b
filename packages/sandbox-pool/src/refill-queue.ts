// When sandboxes that wait are started: what ended last first, one after the other, not while turns need the machine.

export interface Refills<T> {
  /**
   * One more may be started like this, a moment from now. `isSpare`: where there is a place for it and none like it
   * waits; else others make room.
   */
  want(recipe: T, o?: { readonly isSpare: boolean }): void;
  /** None like these is started any more, unless it is wanted again. */
  forget(isUnwanted: (recipe: T) => boolean): void;
  /** From here on none is started. */
  close(): void;
}

/** Starting one keeps a processor busy for about as long. */
const paceMs = 40;
/** Keys that are remembered while nothing may be started; of more, those wanted longest ago are forgotten. */
const wantedMax = 256;

export function createRefills<T extends { readonly key: string }>(o: {
  /** How long what has ended comes first: what it left is saved, and whoever waits for it is answered. Milliseconds. */
  readonly restMs: number;
  /** Whether the machine has nothing better to do. */
  mayStart(): boolean;
  /** Starts one where one is missing; answers whether still more like it are. */
  refill(recipe: T, o: { readonly isSpare: boolean }): boolean;
}): Refills<T> {
  const wanted = new Map<string, { readonly recipe: T; readonly isSpare: boolean }>();
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  function startOne(): void {
    const wish = [...wanted.values()].at(-1);
    if (wish === undefined || !o.mayStart()) return;
    const { key } = wish.recipe;
    wanted.delete(key);
    if (o.refill(wish.recipe, wish)) wanted.set(key, wish);
    if (wanted.size > 0) timer = setTimeout(next, paceMs).unref();
  }

  function next(): void {
    timer = undefined;
    if (!isClosed) startOne();
  }

  return {
    want(recipe, { isSpare } = { isSpare: false }) {
      const isOnlySpare = isSpare && wanted.get(recipe.key)?.isSpare !== false;
      wanted.delete(recipe.key);
      wanted.set(recipe.key, { recipe, isSpare: isOnlySpare });
      if (wanted.size > wantedMax) wanted.delete(wanted.keys().next().value!);
      if (timer !== undefined) return;
      if (o.restMs === 0) next();
      else timer = setTimeout(next, o.restMs).unref();
    },
    forget(isUnwanted) {
      for (const [key, { recipe }] of wanted) if (isUnwanted(recipe)) wanted.delete(key);
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
      wanted.clear();
    },
  };
}
