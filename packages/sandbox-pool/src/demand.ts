// Decides how many sandboxes to preload for each key, from the turns of the last minutes.

export interface Demand {
  /** Turns that are running, of all keys. */
  readonly running: number;
  turnStarted(key: string): void;
  turnEnded(key: string): void;
  /**
   * How many sandboxes to preload: as many as this key's maximum of concurrent turns recently; 0 while it is suspended.
   */
  target(key: string): number;
  /** Whether turns used the key recently and it is not suspended. */
  isInDemand(key: string): boolean;
  /**
   * Preloads nothing for this key for a minute, and for twice as long after each further call, up to 5 minutes. Called
   * when a preloaded sandbox was lost, which may have been chance.
   */
  suspend(key: string): void;
  /** Turns of this key that are running. */
  runningOf(key: string): number;
  /** How many turns of this key there were since it was last forgotten. */
  turnCount(key: string): number;
  /** When a turn of this key last started or ended, by `performance.now()`. */
  usedAt(key: string): number;
  /** Forgets the keys that no turn has used for `idleMs`. */
  forgetIdle(idleMs: number): void;
}

interface KeyUse {
  running: number;
  turns: number;
  /** The recent maximum of concurrent turns, and its time. */
  peak: number;
  peakAt: number;
  usedAt: number;
  /** How long the last suspension is, and when it ends. */
  suspendedForMs: number;
  suspendedUntil: number;
}

const peakForMs = 30_000;
const suspendFirstMs = 60_000;
const suspendMaxMs = 5 * 60_000;

export function createDemand(now: () => number = () => performance.now()): Demand {
  const uses = new Map<string, KeyUse>();
  let running = 0;
  const useOf = (key: string): KeyUse => {
    const known = uses.get(key);
    if (known !== undefined) return known;
    const [peakAt, usedAt] = [now(), now()];
    const use = { running: 0, turns: 0, peak: 0, peakAt, usedAt, suspendedForMs: 0, suspendedUntil: -Infinity };
    uses.set(key, use);
    return use;
  };
  const isSuspended = (use: KeyUse): boolean => now() < use.suspendedUntil;
  return {
    get running() {
      return running;
    },
    turnStarted(key) {
      running += 1;
      const use = useOf(key);
      use.running += 1;
      use.turns += 1;
      use.usedAt = now();
      if (use.running >= use.peak || now() - use.peakAt > peakForMs) {
        use.peak = use.running;
        use.peakAt = now();
      }
    },
    turnEnded(key) {
      running -= 1;
      const use = useOf(key);
      use.running -= 1;
      use.usedAt = now();
    },
    target(key) {
      const use = useOf(key);
      if (isSuspended(use)) return 0;
      return now() - use.peakAt > peakForMs ? Math.max(use.running, 1) : use.peak;
    },
    isInDemand(key) {
      const use = uses.get(key);
      return use !== undefined && !isSuspended(use);
    },
    suspend(key) {
      const use = useOf(key);
      // Sandboxes that are lost at the same time are lost for the same reason.
      if (isSuspended(use)) return;
      // After a long time without a loss it begins with a minute again.
      const isAgain = now() - use.suspendedUntil < suspendMaxMs;
      use.suspendedForMs = isAgain ? Math.min(suspendMaxMs, 2 * use.suspendedForMs) : suspendFirstMs;
      use.suspendedUntil = now() + use.suspendedForMs;
    },
    runningOf: (key) => uses.get(key)?.running ?? 0,
    turnCount: (key) => uses.get(key)?.turns ?? 0,
    usedAt: (key) => uses.get(key)?.usedAt ?? Number.NEGATIVE_INFINITY,
    forgetIdle(idleMs) {
      for (const [key, use] of uses) if (use.running === 0 && now() - use.usedAt > idleMs) uses.delete(key);
    },
  };
}

/** Returns the `count` candidates that were used longest ago. */
export function leastRecentlyUsed<T>(candidates: readonly T[], count: number, usedAt: (one: T) => number): T[] {
  return [...candidates].sort((one, other) => usedAt(one) - usedAt(other)).slice(0, Math.max(0, count));
}
