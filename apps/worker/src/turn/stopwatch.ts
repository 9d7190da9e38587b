// Measures how long the steps of a turn take, in whole milliseconds.

export interface Stopwatch {
  /** Records the time since the last lap under this name. */
  lap(name: string): void;
  /** Returns the recorded times by name. Laps with the same name are added up. */
  laps(): Record<string, number>;
}

export function startStopwatch(): Stopwatch {
  const laps: Record<string, number> = {};
  let last = performance.now();
  return {
    lap(name) {
      const now = performance.now();
      laps[name] = Math.round((laps[name] ?? 0) + now - last);
      last = now;
    },
    laps: () => ({ ...laps }),
  };
}
