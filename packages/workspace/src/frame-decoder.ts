// Frames one after another into one buffer, for a thread that has nothing else to do. A buffer and a decompressor for
// each frame, and collecting them again, are as much work as decompressing it.

import { constants, createZstdDecompress, zstdCompressSync } from "node:zlib";
import { assertStored, decodeFrameSync, frameBytesMax, undecodable, wholeFrame } from "./frame.ts";
import type { Frame } from "./tree.ts";

/** What Node's own streams of zlib are driven by. Not documented: used when it does what it did, as `probe` finds. */
interface Engine {
  /** Throws nothing; a fault is told to `onerror`. */
  writeSync(
    flush: number,
    from: Buffer,
    fromAt: number,
    fromBytes: number,
    to: Buffer,
    at: number,
    bytes: number,
  ): void;
  onerror: (message: string, errno: number, code: string) => void;
}

interface Decoder {
  /** Bytes written to `output`, at most `outputBytes`; undefined when `stored` is no whole frame. */
  decode(stored: Buffer, output: Buffer, outputBytes: number): number | undefined;
}

/** Larger buffers are not kept. */
const keptBytesMax = 1024 * 1024;

/** A buffer that is used again and again. What was taken before is overwritten. */
export class Scratch {
  #buffer: Buffer | undefined;

  take(sizeBytes: number): Buffer {
    if (sizeBytes > keptBytesMax) return Buffer.allocUnsafeSlow(sizeBytes);
    this.#buffer ??= Buffer.allocUnsafeSlow(keptBytesMax);
    return this.#buffer.subarray(0, sizeBytes);
  }
}

const output = new Scratch();
let decoder: Decoder | "none" | undefined;

/**
 * The content of a frame from its stored bytes, good until the next call. Never gives or allocates more than the frame
 * says it holds.
 * @throws SnapshotDamagedError
 */
export function decodeFrameForNow(frame: Frame, stored: Buffer): Buffer {
  decoder ??= probe() ?? "none";
  if (decoder === "none" || frame.codec === "stored") return decodeFrameSync(frame, stored);
  assertStored(frame, stored);
  // One more than it holds, so that one that holds more shows.
  const bytes = output.take(Math.min(frame.sizeBytes, frameBytesMax) + 1);
  const written = decoder.decode(stored, bytes, bytes.length);
  if (written === frame.sizeBytes) return bytes.subarray(0, written);
  // At the end of a whole frame it is as new. Anything else may leave something behind.
  decoder = undefined;
  if (written === undefined || written > frame.sizeBytes) throw undecodable(frame, undefined);
  return wholeFrame(frame, bytes.subarray(0, written));
}

/** True where frames are decompressed without a new buffer each. */
export function hasFastDecoder(): boolean {
  return probe() !== undefined;
}

function probe(): Decoder | undefined {
  try {
    const sample = Buffer.from("a frame of a snapshot, ".repeat(100));
    const made = openDecoder();
    const stored = zstdCompressSync(sample);
    for (let round = 0; round < 2; round++) {
      const found = Buffer.alloc(sample.length + 1);
      if (made?.decode(stored, found, found.length) !== sample.length) return undefined;
      if (!found.subarray(0, sample.length).equals(sample)) return undefined;
    }
    return made;
  } catch {
    return undefined;
  }
}

function openDecoder(): Decoder | undefined {
  const stream = createZstdDecompress() as unknown as { _handle?: Engine; _writeState?: Uint32Array };
  const { _handle: engine, _writeState: left } = stream;
  if (typeof engine?.writeSync !== "function") return undefined;
  if (left?.length !== 2) return undefined;
  let hasFailed = false;
  engine.onerror = () => void (hasFailed = true);
  return {
    decode(stored, to, toBytes) {
      engine.writeSync(constants.ZSTD_e_end, stored, 0, stored.length, to, 0, toBytes);
      const [outputLeft, inputLeft] = left;
      if (hasFailed || outputLeft === undefined || inputLeft !== 0) return undefined;
      return toBytes - outputLeft;
    },
  };
}
