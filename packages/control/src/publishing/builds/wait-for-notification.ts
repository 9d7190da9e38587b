// Sleeps until a notification arrives, a time has passed, or the caller aborts. Does not say which.

import type { Notifier, WakeTopic } from "@dari/domain";

/** Never rejects, because the caller reads the row afterwards in any case. */
export async function waitForNotification(
  notifier: Notifier,
  topic: WakeTopic,
  id: string,
  options: { timeoutMs: number; signal: AbortSignal },
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = (): void => resolve();
  if (options.signal.aborted) return;
  const timer = setTimeout(wake, options.timeoutMs);
  const unsubscribe = notifier.subscribe(topic, id, wake);
  options.signal.addEventListener("abort", wake, { once: true });
  await promise;
  clearTimeout(timer);
  unsubscribe();
  options.signal.removeEventListener("abort", wake);
}
