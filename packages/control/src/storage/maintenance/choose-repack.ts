// Which objects a squash empties of what it needs. Pure.

import type { ObjectUse } from "@dari/db";
import type { Tree } from "@dari/workspace";

const MiB = 1024 * 1024;
/** A tree whose contents lie in more objects than this takes long to restore: its smallest shares move together. */
const objectsMax = 32;
/** What one squash copies at most. */
const copyBytesMax = 256 * MiB;

/**
 * Objects that no snapshot of their own keeps and of which the tree needs less than half; and, in a tree that lies in
 * too many objects, those of which it needs least.
 */
export function chooseRepack(tree: Tree, uses: readonly ObjectUse[]): Set<string> {
  const live = liveBytesOf(tree);
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

/** Stored bytes of the frames that a tree needs, by object. */
export function liveBytesOf(tree: Tree): Map<string, number> {
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
