// The client reads streams with `for await`, which Safari's ReadableStream did not have for long.

/** Gives streams an iterator where the browser has none; an early end cancels the stream, as it should. */
export function makeStreamsIterable(): void {
  const prototype = ReadableStream.prototype as { [Symbol.asyncIterator]?: unknown };
  prototype[Symbol.asyncIterator] ??= iterate;
}

async function* iterate<Chunk>(this: ReadableStream<Chunk>): AsyncGenerator<Chunk> {
  const reader = this.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel();
    reader.releaseLock();
  }
}
