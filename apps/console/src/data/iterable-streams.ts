// The client reads streams with `for await`, which older Safari does not support.

/** Adds an iterator to streams if the browser has none. Leaving the loop early cancels the stream. */
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
