// Iterates over a stream whose reader can stop early without destroying it.

import type { Readable } from "node:stream";

/**
 * Returns the stream's chunks. A reader that stops early leaves the stream open. A plain `for await` destroys it: on a
 * request, the connection breaks before the error reply is sent.
 */
export function iterateWithoutDestroy(stream: Readable): AsyncIterable<Uint8Array> {
  return stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
}
