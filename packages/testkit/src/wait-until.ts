// Waits for a condition, so that no test sleeps for a guessed time.

const defaultTimeoutMs = 10_000;
const everyMs = 20;

export interface WaitOptions {
  /** The condition's name in the error: "the session to become idle". */
  readonly what: string;
  /** Default: 10 s. */
  readonly timeoutMs?: number;
}

/**
 * Calls `condition` until it returns something other than undefined or false, and returns that. Throws if it has not
 * after `timeoutMs`; an error of the last try is its cause.
 */
export async function waitUntil<T>(
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  { what, timeoutMs = defaultTimeoutMs }: WaitOptions,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let cause: unknown;
    try {
      const answer = await condition();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= deadline) throw new Error(`Waited ${timeoutMs} ms in vain for ${what}`, { cause });
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, everyMs);
    await promise;
  }
}
