// Runs a task after changes have been quiet for a while, one run at a time.

export interface Debounced extends Disposable {
  /** Reports a change. The task runs `quietMs` after the last change, or after a running task has ended. */
  notify(): void;
}

export interface Timers {
  set(work: () => void, ms: number): () => void;
}

const realTimers: Timers = {
  set(work, ms) {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  },
};

/** `task` must not reject. */
export function debounce(task: () => Promise<void>, quietMs: number, timers: Timers = realTimers): Debounced {
  let cancel: (() => void) | undefined;
  let isRunning = false;
  let isDue = false;
  let isDisposed = false;
  const run = (): void => {
    cancel = undefined;
    if (isRunning) {
      isDue = true;
      return;
    }
    isRunning = true;
    void task().finally(() => {
      isRunning = false;
      if (isDue && !isDisposed) run();
      isDue = false;
    });
  };
  return {
    notify() {
      if (isDisposed) return;
      cancel?.();
      cancel = timers.set(run, quietMs);
    },
    [Symbol.dispose]() {
      isDisposed = true;
      cancel?.();
    },
  };
}
