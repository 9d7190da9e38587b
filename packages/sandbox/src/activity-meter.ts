// Tells from a sandbox's processor time when to check its usage. Where nothing runs, no usage can grow.

/**
 * A sandbox counts as active for this long after something in it has run: longer than any check puts off what it has
 * noticed. In milliseconds.
 */
const activeForMs = 5_000;
/**
 * A sandbox that has used less processor time than this since its last check, in seconds, is checked once a second. So
 * are Node agents that wait for a model: their timers run twice a second.
 */
const lightSeconds = 0.002;
const lightCheckEveryMs = 1_000;

export interface ActivityMeter {
  /**
   * Returns whether to check now: whether anything has run in the last five seconds, and whether it was more than a
   * little or the last check was a second ago. Call it before each round of checks.
   */
  isDue(): boolean;
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
  let checked = { seconds: -Infinity, at: -Infinity };
  return {
    isDue() {
      const used = cpuSeconds();
      readAt = now();
      if (used === undefined || used !== before) changedAt = activeAt = readAt;
      before = used;
      if (readAt - activeAt > activeForMs) return false;
      const isLight = used !== undefined && used - checked.seconds < lightSeconds;
      if (isLight && readAt - checked.at < lightCheckEveryMs) return false;
      checked = { seconds: used ?? -Infinity, at: readAt };
      return true;
    },
    startCheck() {
      const startedAt = readAt;
      return () => {
        if (changedAt >= startedAt) activeAt = now();
      };
    },
  };
}
