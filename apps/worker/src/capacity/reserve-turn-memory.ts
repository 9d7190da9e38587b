// How much is set aside for each turn if turns are not admitted by what they hold.

/** Concurrent turns by default, if a fixed amount of memory is set aside for each. */
export const defaultPlannedSlots = 4;

/** Returns the memory that is reserved for each turn, in bytes. `memoryMaxBytes`: what an agent can ask for. */
export function getReservedBytes(
  settings: { turnReservedMb: number | undefined; turnMemoryBytes: number },
  memoryMaxBytes = 0,
): number {
  if (settings.turnReservedMb !== undefined) return settings.turnReservedMb * 1024 ** 2;
  return Math.max(settings.turnMemoryBytes, memoryMaxBytes);
}
