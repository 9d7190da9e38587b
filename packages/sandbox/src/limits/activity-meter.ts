// Tells from a sandbox's processor time when to check its usage. Where nothing runs, no usage can grow.

/**
 * A sandbox counts as active for this long after something in it has run: longer than any check puts off what it has
 * noticed. In milliseconds.
 */
const activeForMs = 5_000;
/**
 * The time between two looks at a sandbox that used less processor time than `littleSeconds` between the last two, in
 * milliseconds. A Node agent that waits for a model uses less, although its timers run twice a second.
 */
const quietMs = 1_000;
const littleSeconds = 0.002;

export interface ActivityMeter {
  /**
   * Returns whether to check now: whether anything has run in the last five seconds. False for a second after a look
   * that found that little had run. Call it before each round of checks.
   */
  isDue(): boolean;
  /** Looks again at the next call of `isDue`, because the sandbox gets work. */
  wake(): void;
  /**
   * Returns a function to call when the check ends. If the sandbox ran during a check or shortly before, the check may
   * have missed something, so the sandbox counts as active for five seconds after the check.
   */
  startCheck(): () => void;
}

/** `cpuSeconds`: the processor time so far; a sandbox whose time is unknown counts as active. */
export function createActivityMeter(
  cpuSeconds: () => number | undefined,
  now: () => number = () => performance.now(),
): ActivityMeter {
  let before: number | undefined;
  let readAt = now();
  let changedAt = readAt;
  let activeAt = readAt;
  let quietUntil = -Infinity;
  return {
    isDue() {
      if (now() < quietUntil) return false;
      const used = cpuSeconds();
      readAt = now();
      if (used === undefined || used !== before) changedAt = activeAt = readAt;
      const hasRunLittle = used !== undefined && before !== undefined && used - before < littleSeconds;
      quietUntil = hasRunLittle ? readAt + quietMs : -Infinity;
      before = used;
      return readAt - activeAt <= activeForMs;
    },
    wake: () => void (quietUntil = -Infinity),
    startCheck() {
      const startedAt = readAt;
      return () => {
        if (changedAt >= startedAt) activeAt = now();
      };
    },
  };
}
