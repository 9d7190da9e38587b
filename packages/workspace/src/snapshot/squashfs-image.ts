// The squashfs image beside a snapshot: how a manifest names it, and which tree it has.

import { chunkBytes } from "./frame.ts";
import type { ChunkLocation, Tree, TreeEntry } from "../tree/tree.ts";

export interface SquashfsRef {
  readonly objectKey: string;
  readonly sizeBytes: number;
  /** The sha256 of each 4 MiB; the last chunk may be shorter. */
  readonly chunks: readonly string[];
}

/** A squashfs image and its tree. */
export interface SquashfsBase {
  readonly squashfs: SquashfsRef;
  readonly tree: Tree;
}

export const squashfsSuffix = ".squashfs";

const bases = new WeakMap<Tree, SquashfsBase>();

/** Returns the squashfs image of `tree`, or of a tree that it was made from; undefined if there is none. */
export function getSquashfsBase(tree: Tree): SquashfsBase | undefined {
  return bases.get(tree);
}

export function setSquashfsBase(tree: Tree, base: SquashfsBase | undefined): void {
  if (base !== undefined) bases.set(tree, base);
}

/** Returns whether the key is a squashfs image's. A squashfs image is checked with the snapshot that names it. */
export function isSquashfsKey(objectKey: string): boolean {
  return objectKey.endsWith(squashfsSuffix);
}

/** Returns the squashfs image as a file of chunks, so that the same code can restore it. */
export function squashfsEntry({ objectKey, sizeBytes, chunks }: SquashfsRef, path: string): TreeEntry {
  const location = chunks.map((sha256, index): ChunkLocation => {
    const offset = index * chunkBytes;
    const size = Math.min(chunkBytes, sizeBytes - offset);
    const frame = { objectKey, offset, storedBytes: size, sizeBytes: size, codec: "stored" } as const;
    return { frame, offset: 0, sizeBytes: size, sha256 };
  });
  return { path, type: "file", mode: 0o600, sizeBytes, sha256: chunks[0] ?? "", location };
}
