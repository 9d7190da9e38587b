// Caches trees of snapshots by id. A snapshot never changes, so cached trees stay valid.

import type { BlobStore } from "@dari/blobs";
import type { LoadedTree, SnapshotTrees } from "@dari/control/context";
import { snapshots, type Database } from "@dari/db";
import { emptyTree, loadTree, SnapshotDamagedError, treeHash } from "@dari/workspace";

/** Entries of all cached trees together. A tree of 20,000 files takes about 10 MB. */
const keptEntriesMax = 200_000;

export function createSnapshotTrees(context: { db: Database; blobs: BlobStore }): SnapshotTrees {
  const kept = new Map<string, LoadedTree>();
  let entries = 0;

  const remember = (snapshotId: string, loaded: LoadedTree): void => {
    const known = kept.get(snapshotId);
    if (known !== undefined) entries -= known.tree.size + 1;
    kept.delete(snapshotId);
    kept.set(snapshotId, loaded);
    entries += loaded.tree.size + 1;
    for (const [id, oldest] of kept) {
      if (entries <= keptEntriesMax || id === snapshotId) break;
      kept.delete(id);
      entries -= oldest.tree.size + 1;
    }
  };

  const readingBy = (db: Database): SnapshotTrees => ({
    remember,
    readBy: readingBy,
    async load(organizationId, snapshotId) {
      if (snapshotId === null) return { tree: emptyTree, deltaDepth: 0 };
      const known = kept.get(snapshotId);
      if (known !== undefined) {
        remember(snapshotId, known);
        return known;
      }
      const chain = await snapshots.listSnapshotChain(db, organizationId, snapshotId);
      const refs = chain.flatMap((row) => (row.objectKey === null ? [] : [{ objectKey: row.objectKey }]));
      const newest = chain.at(-1);
      const tree = await loadTree(context.blobs, refs);
      // Never start an agent on an incomplete workspace.
      if (newest === undefined || treeHash(tree) !== newest.treeHash) {
        throw new SnapshotDamagedError(newest?.objectKey ?? snapshotId, "its tree differs from the saved one");
      }
      const loaded = { tree, deltaDepth: newest.deltaDepth };
      remember(snapshotId, loaded);
      return loaded;
    },
  });
  return readingBy(context.db);
}
