// Tells from a sandbox's processor time whether anything in it runs. Where nothing runs, no usage can grow.

/**
 * A sandbox counts as active for this long after something in it has run: longer than any check puts off what it has
 * noticed. In milliseconds.
 */
const activeForMs = 5_000;

export interface ActivityMeter {
  /** Returns whether anything has run in the last five seconds. Call it before each round of checks. */
  isActive(): boolean;
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
  return {
    isActive() {
      const used = cpuSeconds();
      readAt = now();
      if (used === undefined || used !== before) changedAt = activeAt = readAt;
      before = used;
      return readAt - activeAt <= activeForMs;
    },
    startCheck() {
      const startedAt = readAt;
      return () => {
        if (changedAt >= startedAt) activeAt = now();
      };
    },
  };
}
