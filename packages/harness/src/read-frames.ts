// Reads and writes bounded lines on a channel.

import type { Duplex } from "node:stream";
import type { HostFrame } from "./protocol.ts";

const newline = 0x0a;

/** A line exceeds the limit. Reading stops there. */
export class LineTooLongError extends Error {
  override readonly name = "LineTooLongError";
}

/**
 * Returns the lines of a channel, read only as fast as they are consumed, so that a slow reader slows down the writer.
 * Ends with the channel, also if that breaks. Never holds more than `maxBytes` and one chunk. Leaves the channel open.
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
    // A channel breaks when its process dies, which is reported elsewhere.
  }
}

/** Ignores errors of a broken channel. Safe to call several times. */
export function ignoreErrors(channel: Duplex): void {
  channel.off("error", ignore).on("error", ignore);
}

function ignore(): void {}

/** Writes a frame. A closed channel ignores it. */
export function sendFrame(channel: Duplex, frame: HostFrame): void {
  if (channel.writable) channel.write(`${JSON.stringify(frame)}\n`);
}
