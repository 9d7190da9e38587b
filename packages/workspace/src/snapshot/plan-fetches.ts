// Plans which bytes of which objects a restore reads, and which file gets each piece.

import { comparePaths, type Frame, type TreeEntry } from "../tree/tree.ts";

/** A piece of a decompressed frame and its place in a file. */
export interface Piece {
  readonly entry: TreeEntry;
  readonly sha256: string;
  readonly frameOffset: number;
  readonly fileOffset: number;
  readonly sizeBytes: number;
}

export interface WantedFrame {
  readonly frame: Frame;
  readonly pieces: Piece[];
}

/** Adjacent frames of one object, read with one request. */
export interface FrameFetch {
  readonly objectKey: string;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly frames: readonly WantedFrame[];
}

/** Maximum size of one request. */
const fetchBytesMax = 4 * 1024 * 1024;
/** Maximum gap between two frames of one request: reading such a gap is cheaper than another request. */
const gapBytesMax = 64 * 1024;

/**
 * Returns the fetches for these files' contents, each frame once. Each fetch has at most `bytesMax`, or is one frame.
 */
export function planFetches(files: Iterable<TreeEntry>, bytesMax = fetchBytesMax): FrameFetch[] {
  const byObject = new Map<string, Map<number, WantedFrame>>();
  for (const entry of files) {
    let fileOffset = 0;
    for (const { frame, offset, sizeBytes, sha256 } of entry.location ?? []) {
      const wanted = wantedFrame(byObject, frame);
      wanted.pieces.push({ entry, sha256, frameOffset: offset, fileOffset, sizeBytes });
      fileOffset += sizeBytes;
    }
  }
  const objects = [...byObject].sort(([a], [b]) => comparePaths(a, b));
  return objects.flatMap(([objectKey, frames]) => joinFrames(objectKey, [...frames.values()], bytesMax));
}

function wantedFrame(byObject: Map<string, Map<number, WantedFrame>>, frame: Frame): WantedFrame {
  let frames = byObject.get(frame.objectKey);
  if (frames === undefined) byObject.set(frame.objectKey, (frames = new Map()));
  let wanted = frames.get(frame.offset);
  if (wanted === undefined) frames.set(frame.offset, (wanted = { frame, pieces: [] }));
  return wanted;
}

function joinFrames(objectKey: string, frames: WantedFrame[], bytesMax: number): FrameFetch[] {
  frames.sort((a, b) => a.frame.offset - b.frame.offset);
  const fetches: FrameFetch[] = [];
  let run: WantedFrame[] = [];
  let [start, end] = [0, 0];
  const close = (): void => {
    if (run.length > 0) fetches.push({ objectKey, offset: start, sizeBytes: end - start, frames: run });
  };
  for (const wanted of frames) {
    const { offset, storedBytes } = wanted.frame;
    const isNear = run.length > 0 && offset - end <= gapBytesMax && offset + storedBytes - start <= bytesMax;
    if (!isNear) {
      close();
      run = [];
      start = offset;
      end = offset;
    }
    run.push(wanted);
    end = Math.max(end, offset + storedBytes);
  }
  close();
  return fetches;
}
