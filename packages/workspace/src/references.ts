// Which other objects a manifest leans on, and with how much.

import type { ChunkLocation, TreeEntry } from "./tree.ts";

export interface ObjectReference {
  readonly objectKey: string;
  /** Of the frames that are needed. */
  readonly storedBytes: number;
}

/** The other objects that a manifest's contents lie in, with the stored bytes that it needs of each. */
export function referencesOf(entries: readonly TreeEntry[], ownKey: string): ObjectReference[] {
  const bytes = new Map<string, number>();
  const seen = new Set<ChunkLocation["frame"]>();
  for (const { location = [] } of entries) {
    for (const { frame } of location) {
      if (frame.objectKey === ownKey || seen.has(frame)) continue;
      seen.add(frame);
      bytes.set(frame.objectKey, (bytes.get(frame.objectKey) ?? 0) + frame.storedBytes);
    }
  }
  return [...bytes].map(([objectKey, storedBytes]) => ({ objectKey, storedBytes }));
}
