// Reads a stream so that its reader may stop early without destroying it.

import type { Readable } from "node:stream";

/**
 * A plain loop destroys what it does not read to the end. For a request that would cut the connection before the
 * refusal is sent over it; for a part of one, hide the reader's error behind an abort.
 */
export function leaveOpen(stream: Readable): AsyncIterable<Uint8Array> {
  return stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
}
