// Decides how many more turns the worker's memory holds, and which turn ends first if it runs out. Pure functions of
// what was measured.

/** What is known about the memory of this worker and its turns. */
export interface MemoryUse {
  /** What the machine, or the smallest control group of this process, has in all and has available, in bytes. */
  readonly totalBytes: number;
  readonly availableBytes: number;
  /** The most that all turns may hold together, in bytes (default: what is available). */
  readonly budgetBytes?: number | undefined;
  /** What the turns hold together, in bytes. */
  readonly heldBytes: number;
  /** What is reserved for turns in their first seconds, in bytes. */
  readonly reservedBytes: number;
  /** How many turns were admitted and have not left. */
  readonly turns: number;
  /** What one more turn reserves, in bytes. */
  readonly turnBytes: number;
}

export interface MemoryRoom {
  /** How many more turns can be admitted. */
  readonly turns: number;
  /** What turns can still take, in bytes. */
  readonly availableBytes: number;
  /** What must be available for one more turn, in bytes. */
  readonly neededBytes: number;
  /** Whether turns use memory that is kept free. Templates are then retired as well. */
  readonly isShort: boolean;
  /** Whether a running turn must end, before the kernel ends any program of the machine. */
  readonly isCritical: boolean;
}

const MiB = 1024 ** 2;

/** Returns what is never given to turns: a twentieth of the memory, at least 256 MiB, but at most a quarter. */
export function floorOf(totalBytes: number): number {
  return Math.min(totalBytes / 4, Math.max(256 * MiB, totalBytes / 20));
}

/** If no turn runs, one is admitted unless memory is critical: nothing that a turn gives back can make more room. */
export function findRoom(use: MemoryUse): MemoryRoom {
  const { budgetBytes = Infinity, availableBytes, heldBytes, reservedBytes, turnBytes } = use;
  const floorBytes = floorOf(use.totalBytes);
  const spareBytes = Math.min(availableBytes - floorBytes, budgetBytes - heldBytes);
  const isCritical = availableBytes < floorBytes / 2 || heldBytes > budgetBytes;
  const fitting = Math.max(0, Math.floor((spareBytes - reservedBytes) / turnBytes));
  return {
    turns: use.turns === 0 && !isCritical ? Math.max(1, fitting) : fitting,
    availableBytes: Math.max(0, spareBytes),
    neededBytes: reservedBytes + turnBytes,
    isShort: spareBytes < 0,
    isCritical,
  };
}

export interface HoldingTurn {
  readonly organizationId: string;
  /** What it held when it was last measured, in bytes. */
  readonly heldBytes: number;
}

export interface LargestHolder<T> {
  readonly organizationId: string;
  /** What the organization's turns hold together, in bytes. */
  readonly heldBytes: number;
  /** Its largest turn. */
  readonly largest: T;
  /** Number of its turns. */
  readonly turns: number;
}

/** Returns the organization whose turns hold most, and its largest turn. Only organizations with `leastTurns` count. */
export function findLargestHolder<T extends HoldingTurn>(
  turns: Iterable<T>,
  leastTurns = 1,
): LargestHolder<T> | undefined {
  const holders = new Map<string, LargestHolder<T>>();
  for (const turn of turns) {
    const { organizationId, heldBytes } = turn;
    const known = holders.get(organizationId);
    holders.set(organizationId, {
      organizationId,
      heldBytes: (known?.heldBytes ?? 0) + heldBytes,
      largest: known === undefined || heldBytes > known.largest.heldBytes ? turn : known.largest,
      turns: (known?.turns ?? 0) + 1,
    });
  }
  let most: LargestHolder<T> | undefined;
  for (const holder of holders.values()) {
    if (holder.turns >= leastTurns && holder.heldBytes > (most?.heldBytes ?? 0)) most = holder;
  }
  return most;
}

/** An organization that holds this many times what a waiting one holds gives memory back. It has 80 % of the two. */
const shareMax = 4;

/** Returns whether the holder has more than its share while one of these organizations waits for memory. */
export function isAboveShare<T extends HoldingTurn>(
  holder: Pick<LargestHolder<T>, "organizationId" | "heldBytes">,
  turns: Iterable<T>,
  waiting: ReadonlySet<string>,
): boolean {
  const held = new Map<string, number>();
  for (const { organizationId, heldBytes } of turns) {
    held.set(organizationId, (held.get(organizationId) ?? 0) + heldBytes);
  }
  return [...waiting].some((id) => id !== holder.organizationId && shareMax * (held.get(id) ?? 0) < holder.heldBytes);
}

export interface AgentSizes {
  /** Returns what the agent's turns hold after their first seconds, in bytes. Undefined: none was measured. */
  get(agent: string): number | undefined;
  /** Adds the size of one turn. Call it once per turn. */
  add(agent: string, bytes: number): void;
}

const agentsMax = 1_024;

/** Remembers what the turns of each agent hold, at most `maxBytes`. Half of a size comes from the agent's last turn. */
export function createAgentSizes(maxBytes: number): AgentSizes {
  /** The agent that was measured longest ago is first. */
  const sizes = new Map<string, number>();
  return {
    get: (agent) => sizes.get(agent),
    add(agent, given) {
      const bytes = Math.min(maxBytes, given);
      const known = sizes.get(agent) ?? bytes;
      sizes.delete(agent);
      sizes.set(agent, (known + bytes) / 2);
      if (sizes.size > agentsMax) sizes.delete(sizes.keys().next().value!);
    },
  };
}
