// Reads a stream ahead of its consumer.

/**
 * Yields the items of `source` in order, and calls `notice` with each as soon as it arrives, also while the consumer is
 * busy with an earlier one.
 */
export async function* readAhead<Item>(
  source: AsyncGenerator<Item>,
  notice: (item: Item) => void,
): AsyncGenerator<Item> {
  const waiting: Item[] = [];
  let wake = (): void => undefined;
  let isOver = false;
  let failure: { readonly error: unknown } | undefined;
  const read = async (): Promise<void> => {
    for await (const item of source) {
      waiting.push(item);
      notice(item);
      wake();
    }
  };
  void read()
    .catch((error: unknown) => void (failure = { error }))
    .finally(() => {
      isOver = true;
      wake();
    });
  try {
    for (;;) {
      while (waiting.length > 0) yield waiting.shift()!;
      if (isOver) break;
      await new Promise<void>((resolve) => (wake = resolve));
    }
    if (failure !== undefined) throw failure.error;
  } finally {
    if (!isOver) void source.return(undefined).catch(() => undefined);
  }
}
