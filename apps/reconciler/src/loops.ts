// The reconciler's loops: starts them, spreads the slow ones over time, and reports those that no longer succeed.

import { loop, type HealthChecks, type Loop, type Logger } from "@dari/runtime";

/** Starts a loop under this name in the health checks. */
export type StartLoop = (name: string, everyMs: number | (() => number), runOnce: () => Promise<unknown>) => Loop;

export interface Loops {
  readonly start: StartLoop;
  /** Returns whether each loop has succeeded recently, by its name. */
  checks(): HealthChecks;
  /** Resolves when the signal has aborted and every run has ended. */
  done(): Promise<void>;
}

/**
 * Loops with at least this interval start one after the other, with `slowStepMs` between two. Otherwise all of them
 * would need a database connection at the same moments. The frequent loops run at these moments too, and so do slow
 * loops that are whole intervals apart. Milliseconds.
 */
const slowEveryMs = 5_000;
const slowStepMs = 500;
/** How long a loop may go without a success, in addition to its interval. Milliseconds. */
const lateMs = 10_000;

interface Pace {
  readonly loop: Loop;
  readonly everyMs: number | (() => number);
}

export function createLoops(signal: AbortSignal, log: Logger): Loops {
  const paces = new Map<string, Pace>();
  let slowLoops = 0;
  return {
    start(name, everyMs, runOnce) {
      const isSlow = typeof everyMs === "number" && everyMs >= slowEveryMs;
      const delay = isSlow ? { delayMs: (slowLoops += 1) * slowStepMs } : {};
      const started = loop({ name, everyMs, runOnce, signal, log, ...delay });
      paces.set(name, { loop: started, everyMs });
      return started;
    },
    checks: () => Object.fromEntries([...paces].map(([name, pace]) => [name, () => checkPace(pace)])),
    async done() {
      await Promise.all([...paces.values()].map((pace) => pace.loop.done));
    },
  };
}

function checkPace({ loop, everyMs }: Pace): Promise<void> {
  const agoMs = performance.now() - loop.stats().succeededAt;
  if (agoMs <= (typeof everyMs === "number" ? everyMs : everyMs()) + lateMs) return Promise.resolve();
  return Promise.reject(new Error(`its last success was ${Math.round(agoMs)} ms ago`));
}
