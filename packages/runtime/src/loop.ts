// Runs a task repeatedly until told to stop: runs never overlap, and loops of one process run at the same moments, with
// errors logged and counted.

import { createWakeSignal, msToNextTick, type WakeSignal } from "@dari/domain";
import type { Logger } from "./log.ts";

export interface LoopOptions {
  readonly name: string;
  /** Read after each run. */
  readonly everyMs: number | (() => number);
  /** Time to the first run, by which the others move too (default: 0). Keeps slow loops from running together. */
  readonly delayMs?: number;
  readonly signal: AbortSignal;
  readonly runOnce: (signal: AbortSignal) => Promise<unknown>;
  readonly log: Logger;
}

export interface LoopStats {
  readonly runs: number;
  readonly failures: number;
  /** Failures since the last success. */
  readonly failuresInARow: number;
  /** When a run last succeeded, or when the loop began. By the process's own clock, milliseconds. */
  readonly succeededAt: number;
}

export interface Loop extends AsyncDisposable {
  /** Runs soon: now if idle, or again right after the current run. Several nudges cause one run. */
  nudge(): void;
  stats(): LoopStats;
  /** Resolves when the signal has aborted and any current run has ended. Never rejects. */
  readonly done: Promise<void>;
}

/** Errors of a task that keeps failing are logged at most this often; all of them are counted. */
const failureLogEveryMs = 10_000;

/**
 * Runs after `delayMs`, then at each multiple of `everyMs` of the process's clock, so that loops wake the process
 * together. A slow run skips the runs it missed. Stops when `signal` aborts or the loop is disposed.
 */
export function loop(options: LoopOptions): Loop {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const bell = createWakeSignal();
  signal.addEventListener("abort", bell.ring, { once: true });
  const counts = { runs: 0, failures: 0, failuresInARow: 0, succeededAt: performance.now() };
  const done = run(options, signal, bell, counts);
  return {
    nudge: bell.ring,
    stats: () => ({ ...counts }),
    done,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done;
    },
  };
}

type Counts = { runs: number; failures: number; failuresInARow: number; succeededAt: number };

async function run(options: LoopOptions, signal: AbortSignal, bell: WakeSignal, counts: Counts): Promise<void> {
  const log = options.log.child({ loop: options.name });
  if (options.delayMs !== undefined) await bell.wait(options.delayMs);
  let loggedAt = Number.NEGATIVE_INFINITY;
  while (!signal.aborted) {
    try {
      await options.runOnce(signal);
      if (counts.failuresInARow > 0) log.info({ failures: counts.failuresInARow }, "loop works again");
      counts.failuresInARow = 0;
      counts.succeededAt = performance.now();
    } catch (err) {
      if (signal.aborted) break;
      counts.failures += 1;
      counts.failuresInARow += 1;
      if (performance.now() - loggedAt >= failureLogEveryMs) {
        loggedAt = performance.now();
        log.error({ err, failures_in_a_row: counts.failuresInARow }, "loop run failed");
      }
    } finally {
      counts.runs += 1;
    }
    const everyMs = typeof options.everyMs === "number" ? options.everyMs : options.everyMs();
    await bell.wait(msToNextTick(everyMs, options.delayMs));
  }
}
