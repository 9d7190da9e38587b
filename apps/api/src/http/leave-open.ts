// Reads a stream so that its reader may stop early without destroying it.

import type { Readable } from "node:stream";

/**
 * Iterates over a stream. Stopping early does not destroy it. A plain `for await` destroys a stream that it does not
 * read to the end: for a request this cuts the connection before the refusal is sent, and for a part it hides the
 * reader's error behind an abort.
 */
export function leaveOpen(stream: Readable): AsyncIterable<Uint8Array> {
  return stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
}
