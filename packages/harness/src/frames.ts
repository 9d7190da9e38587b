// Lines in and out of a channel, with bounds. Knows no frame's meaning.

import type { Duplex } from "node:stream";
import type { HostFrame } from "./protocol.ts";

const newline = 0x0a;

/** A line is longer than the bound; reading stops there. */
export class LineTooLongError extends Error {
  override readonly name = "LineTooLongError";
}

/**
 * The lines of a channel, read only as fast as they are taken, so that a slow reader holds the writer back. Ends with
 * the channel, also when that breaks. Never holds more than `maxBytes` and one chunk. Leaves the channel open.
 */
export async function* readLines(channel: Duplex, maxBytes: number): AsyncGenerator<string, void> {
  let pieces: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunksOf(channel)) {
    let at = 0;
    for (let end = chunk.indexOf(newline, at); end >= 0; end = chunk.indexOf(newline, at)) {
      pieces.push(chunk.subarray(at, end));
      if (bytes + end - at > maxBytes) throw new LineTooLongError(`a line is longer than ${maxBytes} bytes`);
      yield (pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)).toString("utf8");
      pieces = [];
      bytes = 0;
      at = end + 1;
    }
    pieces.push(chunk.subarray(at));
    bytes += chunk.length - at;
    if (bytes > maxBytes) throw new LineTooLongError(`a line is longer than ${maxBytes} bytes`);
  }
}

async function* chunksOf(channel: Duplex): AsyncGenerator<Buffer, void> {
  try {
    for await (const chunk of channel.iterator({ destroyOnReturn: false })) yield chunk as Buffer;
  } catch {
    // A channel breaks when its process dies; that it died is told elsewhere.
  }
}

/** However often it is called for a channel, that a channel breaks is an error of nobody's. */
export function ignoreErrors(channel: Duplex): void {
  channel.off("error", ignore).on("error", ignore);
}

function ignore(): void {}

/** Writes a frame; a channel that is gone takes it silently. */
export function sendFrame(channel: Duplex, frame: HostFrame): void {
  if (channel.writable) channel.write(`${JSON.stringify(frame)}\n`);
}
