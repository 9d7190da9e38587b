// How many turns a worker's memory allows. Pure but for the look at the memory that it is given.

import type { Memory } from "./memory.ts";

export interface MemoryPlan {
  /** Turns at once: the slots that were asked for, or as many as there is memory for. At least 1. */
  readonly slots: number;
  /** For all turns together, bytes. */
  readonly budgetBytes: number;
  /** Whether the machine has memory for one more turn now, whoever uses the rest. */
  hasRoom(): boolean;
  room(): Room;
}

export interface Room {
  /** What is free now, bytes. */
  readonly availableBytes: number;
  /** What must be free for one more turn, bytes. */
  readonly neededBytes: number;
}

export interface MemorySettings {
  readonly slots: number;
  /** For all turns together, bytes; undefined: what this process may use, less what the worker itself needs. */
  readonly memoryBytes: number | undefined;
  /** Set aside for each turn, bytes. */
  readonly reservedBytes: number;
}

const MiB = 1024 ** 2;
/** The worker's own: its heap, archives and files in flight, a build beside the turns. */
const ownBytes = 512 * MiB;
const leastFreeBytes = 256 * MiB;

/**
 * Each turn has `reservedBytes` set aside, so the turns alone can never use more than the budget. What else runs on the
 * machine is not ours to plan: while less than a tenth of the budget is really free, no turn starts. A machine that is
 * smaller than one turn runs one turn.
 */
export function planMemory(settings: MemorySettings, readMemory: () => Memory): MemoryPlan {
  const budgetBytes = settings.memoryBytes ?? Math.max(ownBytes, readMemory().totalBytes - ownBytes);
  const fitting = Math.max(1, Math.floor(budgetBytes / settings.reservedBytes));
  const neededBytes = Math.min(settings.reservedBytes, Math.max(leastFreeBytes, budgetBytes / 10));
  return {
    slots: Math.min(settings.slots, fitting),
    budgetBytes,
    hasRoom: () => readMemory().availableBytes >= neededBytes,
    room: () => ({ availableBytes: readMemory().availableBytes, neededBytes }),
  };
}
