// Waits for something outside this process that sends no signal, such as a file or another program's end.

import { setTimeout as delay } from "node:timers/promises";

/** Calls `probe` every `everyMs` until it returns a value; undefined after `timeoutMs`. */
export async function poll<T>(
  probe: () => T | undefined | Promise<T | undefined>,
  { timeoutMs, everyMs = 20 }: { readonly timeoutMs: number; readonly everyMs?: number },
): Promise<T | undefined> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (performance.now() >= deadline) return undefined;
    await delay(everyMs);
  }
}
