// Loads the tree that a chain of snapshot objects describes. Reads manifests only, no contents.

import type { BlobStore } from "@dari/blobs";
import { SnapshotDamagedError } from "../errors.ts";
import { setSquashfsBase, type SquashfsBase } from "./squashfs-image.ts";
import type { SnapshotManifest } from "./snapshot-manifest.ts";
import { parseSnapshotManifest } from "./parse-snapshot-manifest.ts";
import { treeProblem } from "../tree/path-rules.ts";
import { forEachLimited } from "../for-each-limited.ts";
import { headerBytes, readHead } from "./snapshot-object.ts";
import { emptyTree, createTree, type Tree, type TreeEntry } from "../tree/tree.ts";
import { treeHash } from "../tree/tree-hash.ts";

/** One snapshot object of a chain. */
export interface SnapshotRef {
  readonly objectKey: string;
}

const readsAtOnce = 8;

/**
 * Returns the tree at the end of `chain`: oldest object first, starting with a full manifest or the session's first
 * object. An empty chain is the empty tree. Checks the result's hash against the newest object's.
 * @throws SnapshotDamagedError if an object is missing, altered, or not the successor of the one before it.
 */
export async function loadTree(store: BlobStore, chain: readonly SnapshotRef[]): Promise<Tree> {
  const manifests: SnapshotManifest[] = [];
  await forEachLimited(chain, readsAtOnce, async ({ objectKey }, index) => {
    manifests[index] = await readSnapshotManifest(store, objectKey);
  });
  const entries = new Map<string, TreeEntry>();
  let hash = treeHash(emptyTree);
  let base: SquashfsBase | undefined;
  for (const [index, manifest] of manifests.entries()) {
    if (manifest.kind === "full") entries.clear();
    else if (manifest.base !== hash) {
      throw new SnapshotDamagedError(chain[index]?.objectKey ?? "", "it does not follow the object before it");
    }
    for (const path of manifest.deleted) entries.delete(path);
    for (const entry of manifest.entries) entries.set(entry.path, entry);
    hash = manifest.tree;
    const isLast = index === manifests.length - 1;
    if (manifest.kind === "full") base = isLast ? undefined : squashfsBaseAt(manifest, entries);
  }
  // The entries of one manifest are sorted.
  const tree = manifests.length === 1 ? entries : createTree(entries.values());
  const problem = treeProblem(tree) ?? (treeHash(tree) === hash ? undefined : "its tree has another hash than it says");
  if (problem !== undefined) throw new SnapshotDamagedError(chain.at(-1)?.objectKey ?? "", problem);
  const squashfs = manifests.at(-1)?.squashfs;
  setSquashfsBase(tree, squashfs === undefined ? base : { squashfs, tree });
  return tree;
}

// Returns the squashfs image of a full manifest, which later deltas use as their base, if it has the declared tree.
function squashfsBaseAt(
  { squashfs, tree: hash }: SnapshotManifest,
  entries: ReadonlyMap<string, TreeEntry>,
): SquashfsBase | undefined {
  if (squashfs === undefined) return undefined;
  const tree = new Map(entries);
  return treeProblem(tree) === undefined && treeHash(tree) === hash ? { squashfs, tree } : undefined;
}

/** Reads and checks one object's manifest. */
export async function readSnapshotManifest(store: BlobStore, objectKey: string): Promise<SnapshotManifest> {
  const { header, json } = await readHead(store, objectKey);
  const packStart = headerBytes + header.manifestStoredBytes;
  return parseSnapshotManifest(json, { objectKey, packStart, packBytes: header.packBytes });
}
