// Waits with a time limit.

import { setTimeout as delay } from "node:timers/promises";

/** Returns the result, or undefined after this many milliseconds. */
export async function withTimeout<T>(ms: number, promised: Promise<T>): Promise<T | undefined> {
  const over = new AbortController();
  const late = delay(ms, undefined, { ref: false, signal: over.signal }).catch(() => undefined);
  try {
    return await Promise.race([promised, late]);
  } finally {
    over.abort();
  }
}
