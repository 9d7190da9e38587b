// Lists the other objects that a manifest references.

import type { SnapshotManifest } from "./snapshot-manifest.ts";
import type { ChunkLocation } from "../tree/tree.ts";

export interface ObjectReference {
  readonly objectKey: string;
  /** Stored size of the referenced frames, in bytes. */
  readonly storedBytes: number;
}

/**
 * Returns the other objects that a manifest needs, including its squashfs image, with the stored bytes that it needs of
 * each.
 */
export function referencesOf(
  { entries, squashfs }: Pick<SnapshotManifest, "entries" | "squashfs">,
  ownKey: string,
): ObjectReference[] {
  const bytes = new Map<string, number>();
  const seen = new Set<ChunkLocation["frame"]>();
  for (const { location = [] } of entries) {
    for (const { frame } of location) {
      if (frame.objectKey === ownKey || seen.has(frame)) continue;
      seen.add(frame);
      bytes.set(frame.objectKey, (bytes.get(frame.objectKey) ?? 0) + frame.storedBytes);
    }
  }
  if (squashfs !== undefined) bytes.set(squashfs.objectKey, squashfs.sizeBytes);
  return [...bytes].map(([objectKey, storedBytes]) => ({ objectKey, storedBytes }));
}
