// How many sandboxes should wait for the turns of each key, by what was asked for lately.

export interface Demand {
  /** Turns that run, of all keys. */
  readonly running: number;
  enter(key: string): void;
  leave(key: string): void;
  /** As many as turns of this key ran at once lately; none while it is refused. */
  wanted(key: string): number;
  isWanted(key: string): boolean;
  /**
   * Nothing waits for this key for a minute, and after each further refusal for twice as long, at most 5 minutes: a
   * sandbox may also have been lost by chance.
   */
  refuse(key: string): void;
  /** How many turns of this key there were, as far as it is remembered. */
  turns(key: string): number;
  /** When a turn of this key last started or ended; milliseconds of `performance.now`. */
  usedAt(key: string): number;
  /** Forgets what no turn has used for so long. Milliseconds. */
  forget(idleMs: number): void;
}

interface Use {
  running: number;
  turns: number;
  /** Most at once lately, and when that was. */
  peak: number;
  peakAt: number;
  usedAt: number;
  /** How long the last refusal holds, and until when. */
  refusedForMs: number;
  refusedUntil: number;
}

/** A burst is remembered for as long. */
const peakForMs = 30_000;
const refusedFirstMs = 60_000;
const refusedMaxMs = 5 * 60_000;

export function createDemand(now: () => number = () => performance.now()): Demand {
  const uses = new Map<string, Use>();
  let running = 0;
  const useOf = (key: string): Use => {
    const known = uses.get(key);
    if (known !== undefined) return known;
    const use = {
      running: 0,
      turns: 0,
      peak: 0,
      peakAt: now(),
      usedAt: now(),
      refusedForMs: 0,
      refusedUntil: -Infinity,
    };
    uses.set(key, use);
    return use;
  };
  const isRefused = (use: Use): boolean => now() < use.refusedUntil;
  return {
    get running() {
      return running;
    },
    enter(key) {
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
    leave(key) {
      running -= 1;
      const use = useOf(key);
      use.running -= 1;
      use.usedAt = now();
    },
    wanted(key) {
      const use = useOf(key);
      if (isRefused(use)) return 0;
      return now() - use.peakAt > peakForMs ? Math.max(use.running, 1) : use.peak;
    },
    isWanted(key) {
      const use = uses.get(key);
      return use !== undefined && !isRefused(use);
    },
    refuse(key) {
      const use = useOf(key);
      // Several that are lost at once are lost for one reason.
      if (isRefused(use)) return;
      // One that has been wanted for long since is refused as for the first time.
      const isAgain = now() - use.refusedUntil < refusedMaxMs;
      use.refusedForMs = isAgain ? Math.min(refusedMaxMs, 2 * use.refusedForMs) : refusedFirstMs;
      use.refusedUntil = now() + use.refusedForMs;
    },
    turns: (key) => uses.get(key)?.turns ?? 0,
    usedAt: (key) => uses.get(key)?.usedAt ?? Number.NEGATIVE_INFINITY,
    forget(idleMs) {
      for (const [key, use] of uses) if (use.running === 0 && now() - use.usedAt > idleMs) uses.delete(key);
    },
  };
}

/** The `count` of `candidates` that were used longest ago. */
export function chooseVictims<T>(candidates: readonly T[], count: number, usedAt: (one: T) => number): T[] {
  return [...candidates].sort((one, other) => usedAt(one) - usedAt(other)).slice(0, Math.max(0, count));
}
