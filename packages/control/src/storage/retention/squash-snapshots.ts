// Shortens long chains of snapshots in the background, so that reading a head stays bounded and turns do not pay for
// it. Ids and trees stay the same. Turns that run at the same time build on the same tree.

import { snapshots, squashes, type DeepSnapshot } from "@dari/db";
import { loadTree, rewriteSnapshot, SnapshotDamagedError, treeHash, type Tree } from "@dari/workspace";
import { recordObject, snapshotPrefix } from "../workspaces/store-snapshot.ts";
import { chooseObjectsToRepack, countLiveBytes } from "./choose-objects-to-repack.ts";
import type { StorageContext } from "./storage-context.ts";

export interface SquashCounts {
  readonly squashed: number;
  /** Snapshots that changed during the squash, and those with a damaged chain. */
  readonly passed: number;
}

const perPass = 10;

/**
 * Returns a function that runs one bounded pass. It remembers damaged chains, so that they do not block others. A
 * process that dies in a pass leaves an unreferenced object.
 */
export function createSquasher(context: StorageContext): () => Promise<SquashCounts> {
  const damaged = new Set<string>();
  return async () => {
    const counts = { squashed: 0, passed: 0 };
    const deep = await squashes.listDeepSnapshots(context.db, perPass + damaged.size);
    for (const snapshot of deep.filter(({ id }) => !damaged.has(id)).slice(0, perPass)) {
      try {
        if (await squashSnapshot(context, snapshot)) counts.squashed++;
        else counts.passed++;
      } catch (error) {
        if (!(error instanceof SnapshotDamagedError)) throw error;
        damaged.add(snapshot.id);
        counts.passed++;
        context.log.error({ err: error, org: snapshot.organizationId, snapshot: snapshot.id }, "snapshot.damaged");
      }
    }
    return counts;
  };
}

/** Returns true if the snapshot is now one object with its whole manifest, and no other process did it first. */
export async function squashSnapshot(context: StorageContext, snapshot: DeepSnapshot): Promise<boolean> {
  const { db, blobs } = context;
  const { organizationId } = snapshot;
  const chain = await snapshots.listSnapshotChain(db, organizationId, snapshot.id);
  const tree: Tree = await loadTree(
    blobs,
    chain.flatMap(({ objectKey }) => (objectKey === null ? [] : [{ objectKey }])),
  );
  if (treeHash(tree) !== snapshot.treeHash) {
    throw new SnapshotDamagedError(snapshot.objectKey ?? snapshot.id, "its tree differs from the saved one");
  }
  const uses = await squashes.listObjectUses(db, [...countLiveBytes(tree).keys()]);
  const repack = chooseObjectsToRepack(tree, uses);
  const written = await rewriteSnapshot({ store: blobs, keyPrefix: snapshotPrefix(organizationId), tree, repack });
  await recordObject(context, organizationId, written);
  return await squashes.moveSnapshotIfUnmoved(db, snapshot, written);
}
