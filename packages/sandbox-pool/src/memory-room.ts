// Decides how many more turns the worker's memory holds, and which turn ends if it runs out. Pure functions of what was
// measured: the rule of docs/decisions/0028-turns-by-memory.md.

export interface MemoryUse {
  /** What the machine, or a control group of this process, has in all and has available, in bytes. */
  readonly totalBytes: number;
  readonly availableBytes: number;
  /** What was in use when no turn and no build ran, in bytes. */
  readonly idleBytes: number;
  /** How many turns and builds were admitted and have not left. */
  readonly turns: number;
  /** How many of them are in their first seconds, so that the available memory does not show yet what they take. */
  readonly young: number;
  /** The most that a young turn is expected to hold, in bytes. */
  readonly expectedMaxBytes: number;
}

export interface MemoryRoom {
  /** How many more turns can be admitted. */
  readonly turns: number;
  /** What is available now, in bytes. */
  readonly availableBytes: number;
  /** What must be available for one more turn, in bytes. */
  readonly neededBytes: number;
  /** Whether memory is so scarce that no sandbox should wait for a turn. */
  readonly isScarce: boolean;
  /** What must come back before the kernel has to end a program of the machine, in bytes; 0 in general. */
  readonly missingBytes: number;
}

const MiB = 1024 ** 2;
/** What one turn must find available, and what a young turn is expected to hold at least. */
const turnBytes = 64 * MiB;
/** What a young turn is expected to hold while no other turns show what turns hold. */
const unknownBytes = 256 * MiB;

/** Returns what is never given to turns: a twentieth of the memory, from 256 MiB to 2 GiB, but at most a quarter. */
export function floorOf(totalBytes: number): number {
  return Math.min(totalBytes / 4, Math.max(256 * MiB, Math.min(2_048 * MiB, totalBytes / 20)));
}

/**
 * With at least twice the floor available, turns are admitted as long as all young turns can grow to what is expected:
 * what all turns hold, divided by those that are not young. Otherwise, one turn is admitted at a time, and the next one
 * when it is no longer young. Below the floor, no turn is admitted. If no turn runs, one is admitted unless memory is
 * missing, because waiting would free nothing.
 */
export function findRoom({ totalBytes, availableBytes, turns, young, ...use }: MemoryUse): MemoryRoom {
  const floorBytes = floorOf(totalBytes);
  const spareBytes = availableBytes - floorBytes;
  const missingBytes = Math.max(0, floorBytes / 2 - availableBytes);
  const heldBytes = totalBytes - availableBytes - use.idleBytes;
  const usualBytes = turns > young ? heldBytes / (turns - young) : unknownBytes;
  const expectedBytes = Math.max(turnBytes, Math.min(use.expectedMaxBytes, usualBytes));
  const together = Math.floor((spareBytes - floorBytes) / expectedBytes) - young;
  const isAloneAdmitted = young === 0 && (spareBytes >= turnBytes || (turns === 0 && missingBytes === 0));
  return {
    turns: Math.max(together, isAloneAdmitted ? 1 : 0),
    availableBytes,
    neededBytes: floorBytes + turnBytes,
    isScarce: spareBytes < floorBytes,
    missingBytes,
  };
}

export interface HoldingTurn {
  readonly organizationId: string;
  /** What it holds, in bytes. */
  readonly heldBytes: number;
}

/**
 * Returns the turn for which what it holds, times what the turns of its organization hold together, is largest. So one
 * large turn ends before many small ones of any organization. Of turns of the same size, one ends of the organization
 * that holds most. Undefined if no turn holds anything.
 */
export function findTurnToEnd<T extends HoldingTurn>(turns: readonly T[]): T | undefined {
  const held = new Map<string, number>();
  for (const { organizationId, heldBytes } of turns) {
    held.set(organizationId, (held.get(organizationId) ?? 0) + heldBytes);
  }
  const weightOf = ({ organizationId, heldBytes }: HoldingTurn): number => heldBytes * (held.get(organizationId) ?? 0);
  const [most] = turns.toSorted((a, b) => weightOf(b) - weightOf(a));
  return most === undefined || most.heldBytes === 0 ? undefined : most;
}
