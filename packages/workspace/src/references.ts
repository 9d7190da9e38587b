// Which other objects a manifest leans on, and with how much.

import type { Manifest } from "./manifest.ts";
import type { ChunkLocation } from "./tree.ts";

export interface ObjectReference {
  readonly objectKey: string;
  /** The size of the needed frames. */
  readonly storedBytes: number;
}

/** The other objects that a manifest needs, with the stored bytes that it needs of each; its image is one. */
export function referencesOf(
  { entries, image }: Pick<Manifest, "entries" | "image">,
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
  if (image !== undefined) bytes.set(image.objectKey, image.sizeBytes);
  return [...bytes].map(([objectKey, storedBytes]) => ({ objectKey, storedBytes }));
}
