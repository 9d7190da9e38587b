// When the timers of one process run. Timers that are due at the same moment wake the process once, and at rest the
// wake-up costs more than what a timer does.

/** A timer can run this much early, because timers count whole milliseconds. */
const earlyMs = 2;

/**
 * Returns the time until the next multiple of `everyMs` of the process's clock, in whole milliseconds: more than 0, at
 * most `everyMs` and a few. `shiftMs` moves the multiples. A moment that is due within two milliseconds is skipped: the
 * timer for it has just run.
 */
export function msToNextTick(everyMs: number, shiftMs = 0, nowMs = performance.now()): number {
  const passedMs = (((nowMs - shiftMs) % everyMs) + everyMs) % everyMs;
  const leftMs = everyMs - passedMs;
  return Math.ceil(leftMs > Math.min(earlyMs, everyMs / 2) ? leftMs : leftMs + everyMs);
}
