// Waits with a limit.

/** Resolves after `ms`; keeps no process alive. */
export function timeout(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
