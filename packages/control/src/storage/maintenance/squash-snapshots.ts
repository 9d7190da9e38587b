// Cuts long chains in the background, so that reading a head stays bounded and no turn pays for it. Ids and trees stay;
// turns that run meanwhile build on the same tree wherever it lies.

import { snapshots, squashes, type DeepSnapshot } from "@dari/db";
import { loadTree, rewrite, SnapshotDamagedError, treeHash, type Tree } from "@dari/workspace";
import { recordObject, snapshotPrefix } from "../workspaces/store-snapshot.ts";
import { chooseRepack, liveBytesOf } from "./choose-repack.ts";
import type { StorageContext } from "./storage-context.ts";

export interface SquashCounts {
  readonly squashed: number;
  /** Those that changed under it, and those whose chain is damaged. */
  readonly passed: number;
}

const perPass = 10;

/**
 * A loop: answers what one bounded pass did. It remembers which chains are damaged, so that they hold up no other; a
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

/** True when the snapshot lies in one object with its whole manifest now, and another did not come first. */
export async function squashSnapshot(context: StorageContext, snapshot: DeepSnapshot): Promise<boolean> {
  const { db, blobs } = context;
  const { organizationId } = snapshot;
  const chain = await snapshots.listSnapshotChain(db, organizationId, snapshot.id);
  const tree: Tree = await loadTree(
    blobs,
    chain.flatMap(({ objectKey }) => (objectKey === null ? [] : [{ objectKey }])),
  );
  if (treeHash(tree) !== snapshot.treeHash) {
    throw new SnapshotDamagedError(snapshot.objectKey ?? snapshot.id, "its tree is not the one that was saved");
  }
  const uses = await squashes.listObjectUses(db, [...liveBytesOf(tree).keys()]);
  const repack = chooseRepack(tree, uses);
  const written = await rewrite({ store: blobs, keyPrefix: snapshotPrefix(organizationId), tree, repack });
  await recordObject(context, organizationId, written);
  return await squashes.moveIfAt(db, snapshot, written);
}
