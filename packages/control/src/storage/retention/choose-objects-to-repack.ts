// Chooses the objects whose contents a squash copies. Pure.

import type { ObjectUse } from "@dari/db";
import type { Tree } from "@dari/workspace";

const MiB = 1024 * 1024;
/** A tree with contents in more objects than this is slow to restore. Its smallest shares are merged. */
const objectsMax = 32;
/** The maximum that one squash copies. */
const copyBytesMax = 256 * MiB;

/**
 * Returns objects that no other snapshot keeps and of which the tree needs less than half. For a tree in too many
 * objects, also those of which it needs least.
 */
export function chooseObjectsToRepack(tree: Tree, uses: readonly ObjectUse[]): Set<string> {
  const live = countLiveBytes(tree);
  const known = new Map(uses.map((use) => [use.objectKey, use]));
  const bySize = [...live].sort(([, a], [, b]) => a - b);
  const scattered = Math.max(0, bySize.length - objectsMax);
  const chosen = new Set<string>();
  let bytes = 0;
  for (const [index, [objectKey, needed]] of bySize.entries()) {
    const use = known.get(objectKey);
    const isMostlyDead = use !== undefined && !use.isOwned && needed * 2 < use.sizeBytes;
    if (!isMostlyDead && index >= scattered) continue;
    if (bytes + needed > copyBytesMax) continue;
    chosen.add(objectKey);
    bytes += needed;
  }
  return chosen;
}

/** Returns the stored bytes that a tree needs, by object. */
export function countLiveBytes(tree: Tree): Map<string, number> {
  const live = new Map<string, number>();
  const seen = new Set<string>();
  for (const { location = [] } of tree.values()) {
    for (const { frame } of location) {
      const name = `${frame.objectKey} ${frame.offset}`;
      if (seen.has(name)) continue;
      seen.add(name);
      live.set(frame.objectKey, (live.get(frame.objectKey) ?? 0) + frame.storedBytes);
    }
  }
  return live;
}
