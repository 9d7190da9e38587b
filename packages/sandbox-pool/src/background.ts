// Work that nothing waits for until the pool is closed.

import type { Logger } from "@dari/runtime";

export interface Background {
  /** Logs the error if the work fails. */
  run(work: Promise<void>): void;
  /** Resolves when all work has ended, including work that is added in the meantime. */
  done(): Promise<void>;
}

export function createBackground(log: Logger): Background {
  const pending = new Set<Promise<void>>();
  return {
    run(work) {
      const settled = work.catch((err: unknown) => log.error({ err }, "warm.not_ended"));
      pending.add(settled);
      void settled.finally(() => pending.delete(settled));
    },
    async done() {
      while (pending.size > 0) await Promise.all(pending);
    },
  };
}
