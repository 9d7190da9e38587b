// Compresses zstd in several frames concurrently. Every zstd decompressor reads a sequence of frames as one stream.

import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";

/** Takes half the time of level 3, for 10 % more bytes. */
const level = 1;
/** Smaller frames compress worse, larger ones no better. */
const frameBytes = 4 * 1024 * 1024;
/** Half of the threads that Node has for files and compression, so that others do not wait long. */
const framesAtOnce = 2;

const compress = promisify(zstdCompress);
/** A frame comes from its thread in one piece. */
const options = { chunkSize: frameBytes, params: { [constants.ZSTD_c_compressionLevel]: level } };

/** Yields frames in order. `onPiece` gets each piece of the source, in order. */
export async function* compressFrames(
  source: AsyncIterable<Uint8Array>,
  onPiece: (piece: Uint8Array) => void,
): AsyncGenerator<Buffer, void> {
  const frames: Promise<Buffer>[] = [];
  const buffers = Array.from({ length: framesAtOnce + 1 }, () => Buffer.allocUnsafe(frameBytes));
  for await (const block of blocksOf(source, buffers, onPiece)) {
    const frame = compress(block, options);
    frame.catch(() => {}); // The error is thrown when the frame is awaited.
    frames.push(frame);
    if (frames.length === framesAtOnce) yield await frames.shift()!;
  }
  for (const frame of frames) yield await frame;
}

/** Yields blocks of the buffers' size, which are used in turn. The last one is the rest, and may be empty. */
async function* blocksOf(
  source: AsyncIterable<Uint8Array>,
  buffers: readonly Buffer[],
  onPiece: (piece: Uint8Array) => void,
): AsyncGenerator<Buffer, void> {
  let turn = 0;
  let buffer = buffers[0]!;
  let filled = 0;
  for await (const piece of source) {
    onPiece(piece);
    for (let at = 0; at < piece.length;) {
      const taken = Math.min(piece.length - at, buffer.length - filled);
      buffer.set(piece.subarray(at, at + taken), filled);
      at += taken;
      filled += taken;
      if (filled < buffer.length) continue;
      yield buffer;
      turn += 1;
      buffer = buffers[turn % buffers.length]!;
      filled = 0;
    }
  }
  yield buffer.subarray(0, filled);
}
