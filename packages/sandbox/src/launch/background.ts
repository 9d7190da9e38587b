// Collects work that runs in the background, so that `close` can wait for it later.

export interface Background {
  /** Runs in the background. It must not reject. */
  add(work: Promise<void> | undefined): void;
  /** Resolves when all added work has ended. */
  done(): Promise<void>;
}

export function createBackground(): Background {
  const running = new Set<Promise<void>>();
  return {
    add(work) {
      if (work === undefined) return;
      running.add(work);
      void work.finally(() => running.delete(work));
    },
    async done() {
      while (running.size > 0) await Promise.all(running);
    },
  };
}
