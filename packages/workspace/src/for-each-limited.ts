// Runs work on many items with limited concurrency.

/**
 * Calls `work` for each item, at most `limit` calls at a time. After a failure, starts no more calls. Throws the
 * failure once the running calls have ended, so that nothing continues in the background.
 */
export async function forEachLimited<T>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  let failed: { error: unknown } | undefined;
  async function lane(): Promise<void> {
    while (next < items.length && failed === undefined) {
      const index = next++;
      try {
        await work(items[index] as T, index);
      } catch (error) {
        failed ??= { error };
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  if (failed !== undefined) throw failed.error;
}
