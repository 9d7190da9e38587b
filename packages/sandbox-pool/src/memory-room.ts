// Decides how many more turns the worker's memory can hold. Pure functions of what was measured.

/** What is known about the memory of this worker and its turns. */
export interface MemoryUse {
  /** What the worker may use, in bytes: of the machine, its control groups, and the configured budget. */
  readonly totalBytes: number;
  readonly availableBytes: number;
  /** How fast the available memory shrinks, in bytes per second. */
  readonly shrinkingBytes: number;
  /** The share of the time that all programs waited for memory, in percent, over the last 10 s. */
  readonly stalledPercent: number;
  readonly turns: Iterable<TurnUse>;
  /** Turns that were admitted and have no sandbox yet. */
  readonly starting: number;
  /** What a turn usually holds, in bytes. */
  readonly usualBytes: number;
}

export interface TurnUse {
  /** What the turns of this agent usually hold, in bytes. */
  readonly expectedBytes: number;
  /** What this turn held when it was last measured, in bytes. Undefined: it was not measured yet. */
  readonly heldBytes: number | undefined;
}

export interface MemoryRoom {
  /** How many more turns the memory can hold. */
  readonly turns: number;
  readonly availableBytes: number;
  /** What must be available for one more turn, in bytes. */
  readonly neededBytes: number;
  /** Whether less than the reserve is available. Then templates are retired as well. */
  readonly isShort: boolean;
  /** Whether a running turn must be ended, before the kernel ends any program of the machine. */
  readonly isCritical: boolean;
}

const MiB = 1024 ** 2;
/** Memory that shrinks is reserved for this many seconds ahead: the next measurements come in that time. */
const aheadSeconds = 3;
/** Above this, no turn is admitted while less than a quarter of the memory is available. In percent. */
const stalledPercentMax = 5;

/** Returns what is never given to turns: a twentieth of the memory, at least 256 MiB, but at most a quarter. */
export function reserveOf(totalBytes: number): number {
  return Math.min(totalBytes / 4, Math.max(256 * MiB, totalBytes / 20));
}

/**
 * Returns how many turns can be admitted. Reserved are: the growth of running turns to what their agents usually hold,
 * the turns that are starting, and what the next seconds take at the present rate. The stall time counts only while
 * memory is scarce, because a single turn at its own limit can cause it.
 */
export function findRoom(use: MemoryUse): MemoryRoom {
  const { totalBytes, availableBytes, usualBytes } = use;
  let growthBytes = use.starting * usualBytes;
  for (const { expectedBytes, heldBytes = 0 } of use.turns) growthBytes += Math.max(0, expectedBytes - heldBytes);
  const reservedBytes = reserveOf(totalBytes) + growthBytes + use.shrinkingBytes * aheadSeconds;
  const isStalled = use.stalledPercent > stalledPercentMax && availableBytes < totalBytes / 4;
  return {
    turns: isStalled ? 0 : Math.max(0, Math.floor((availableBytes - reservedBytes) / usualBytes)),
    availableBytes,
    neededBytes: Math.ceil(reservedBytes + usualBytes),
    isShort: availableBytes < reserveOf(totalBytes),
    isCritical: availableBytes < reserveOf(totalBytes) / 2,
  };
}

/** Returns the turn that holds most beyond what its agent usually holds. Undefined if none was measured. */
export function findLargestExcess<T extends TurnUse>(turns: Iterable<T>): T | undefined {
  let largest: T | undefined;
  const excess = ({ heldBytes = -Infinity, expectedBytes }: TurnUse): number => heldBytes - expectedBytes;
  for (const turn of turns) {
    if (turn.heldBytes !== undefined && (largest === undefined || excess(turn) > excess(largest))) largest = turn;
  }
  return largest;
}

export interface TurnSizes {
  /** What a turn holds, whatever its agent, in bytes. */
  readonly usualBytes: number;
  /** What the agent's turns hold; before any was measured: what turns usually hold. In bytes. */
  expectedOf(agent: string): number;
  add(agent: string, bytes: number): void;
}

const agentsMax = 1_024;
/** The weight of a new measurement, once there are enough. */
const newestWeight = 1 / 16;
const leastBytes = MiB;

/**
 * Learns what turns hold. The size of an agent follows a larger measurement at once and a smaller one slowly. The usual
 * size is a mean of all agents. `firstBytes` is assumed until something was measured.
 */
export function createTurnSizes(firstBytes: number): TurnSizes {
  /** The agent that was measured longest ago is first. */
  const sizes = new Map<string, number>();
  let usualBytes = firstBytes;
  let measured = 0;
  return {
    get usualBytes() {
      return usualBytes;
    },
    expectedOf: (agent) => sizes.get(agent) ?? usualBytes,
    add(agent, given) {
      const bytes = Math.max(leastBytes, given);
      measured += 1;
      usualBytes += (bytes - usualBytes) * Math.max(newestWeight, 1 / (measured + 1));
      const known = sizes.get(agent) ?? 0;
      sizes.delete(agent);
      sizes.set(agent, bytes >= known ? bytes : known + (bytes - known) * newestWeight);
      if (sizes.size > agentsMax) sizes.delete(sizes.keys().next().value!);
    },
  };
}
