// Does many things, a few at a time. Knows nothing of what they are.

/**
 * Calls `work` for each item, at most `limit` at a time. After a failure no item is begun; the failure is thrown when
 * those under way have ended, so that nothing runs on behind the caller's back.
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
