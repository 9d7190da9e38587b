// Work that no caller waits for now, but one may later.

export interface Background {
  /** Runs in the background. It must not reject. */
  add(work: Promise<void> | undefined): void;
  /** Resolves when all added work has ended. */
  done(): Promise<void>;
}

export function createBackground(): Background {
  const going = new Set<Promise<void>>();
  return {
    add(work) {
      if (work === undefined) return;
      going.add(work);
      void work.finally(() => going.delete(work));
    },
    async done() {
      while (going.size > 0) await Promise.all(going);
    },
  };
}
