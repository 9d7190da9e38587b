// Plans how many turns the worker's memory allows, if a fixed amount is set aside for each.

import type { Memory } from "./memory.ts";
import type { TurnMemory } from "./running-turns.ts";

export interface MemoryPlan {
  /** Maximum number of concurrent turns: the configured slots, or as many as the memory allows; at least 1. */
  readonly slots: number;
  /** Memory of all turns together, in bytes. */
  readonly budgetBytes: number;
  /** Admits turns while the machine has memory for one more. It measures no turn, and ends none. */
  readonly turns: TurnMemory;
}

export interface MemorySettings {
  readonly slots: number;
  /** The most that this process may use, in bytes. */
  readonly limitBytes: number;
  /** Memory of all turns together, in bytes (default: the limit, minus 512 MiB for the worker). */
  readonly memoryBytes: number | undefined;
  /** Memory reserved for each turn, in bytes. */
  readonly reservedBytes: number;
}

const MiB = 1024 ** 2;
/** Reserved for the worker: its heap, archives and files in transfer, and one build. */
const workerBytes = 512 * MiB;
const leastFreeBytes = 256 * MiB;

/**
 * Reserves `reservedBytes` for each turn, so turns together never use more than the budget. Other programs are not
 * planned for: no turn starts while less than a tenth of the budget is free. A machine that is too small for one turn
 * runs one turn.
 */
export function planMemory(settings: MemorySettings, readMemory: () => Memory): MemoryPlan {
  const budgetBytes = settings.memoryBytes ?? Math.max(workerBytes, settings.limitBytes - workerBytes);
  const fitting = Math.max(1, Math.floor(budgetBytes / settings.reservedBytes));
  const neededBytes = Math.min(settings.reservedBytes, Math.max(leastFreeBytes, budgetBytes / 10));
  return {
    slots: Math.min(settings.slots, fitting),
    budgetBytes,
    turns: {
      room() {
        const { availableBytes } = readMemory();
        const missingBytes = Math.max(0, neededBytes - availableBytes);
        const isScarce = missingBytes > 0;
        return { turns: isScarce ? 0 : Infinity, availableBytes, neededBytes, isScarce, missingBytes };
      },
      admit: () => ({ track: () => () => undefined, leave: () => undefined }),
      startBuild: () => () => undefined,
    },
  };
}
