// From a chain of snapshot objects to the tree they describe. Reads manifests only, no contents.

import type { BlobStore } from "@dari/blobs";
import { SnapshotDamagedError } from "./errors.ts";
import { noteImageBase, type ImageBase } from "./image.ts";
import type { Manifest } from "./manifest.ts";
import { parseManifest } from "./manifest-parse.ts";
import { treeProblem } from "./path-rules.ts";
import { forEachLimited } from "./pool.ts";
import { referencesOf, type ObjectReference } from "./references.ts";
import { headerBytes, readHead } from "./snapshot-object.ts";
import { emptyTree, treeOf, type Tree, type TreeEntry } from "./tree.ts";
import { treeHash } from "./tree-hash.ts";

/** One object of a chain. */
export interface SnapshotRef {
  readonly objectKey: string;
}

const readsAtOnce = 8;

/**
 * The tree at the end of `chain`: oldest object first, beginning with a full manifest or with the session's first.
 * An empty chain is the empty tree. The result's hash is checked against the newest object's.
 * @throws SnapshotDamagedError when an object is missing, altered, or not the successor of the one before it.
 */
export async function loadTree(store: BlobStore, chain: readonly SnapshotRef[]): Promise<Tree> {
  const manifests: Manifest[] = [];
  await forEachLimited(chain, readsAtOnce, async ({ objectKey }, index) => {
    manifests[index] = await readManifest(store, objectKey);
  });
  const entries = new Map<string, TreeEntry>();
  let hash = treeHash(emptyTree);
  let base: ImageBase | undefined;
  for (const [index, manifest] of manifests.entries()) {
    if (manifest.kind === "full") entries.clear();
    else if (manifest.base !== hash) {
      throw new SnapshotDamagedError(chain[index]?.objectKey ?? "", "it does not follow the object before it");
    }
    for (const path of manifest.deleted) entries.delete(path);
    for (const entry of manifest.entries) entries.set(entry.path, entry);
    hash = manifest.tree;
    const isLast = index === manifests.length - 1;
    if (manifest.kind === "full") base = isLast ? undefined : imageBaseAt(manifest, entries);
  }
  // The entries of one manifest are in order.
  const tree = manifests.length === 1 ? entries : treeOf(entries.values());
  const problem = treeProblem(tree) ?? (treeHash(tree) === hash ? undefined : "its tree has another hash than it says");
  if (problem !== undefined) throw new SnapshotDamagedError(chain.at(-1)?.objectKey ?? "", problem);
  const image = manifests.at(-1)?.image;
  noteImageBase(tree, image === undefined ? base : { image, tree });
  return tree;
}

// What later deltas lean on, when it is what it says.
function imageBaseAt({ image, tree: hash }: Manifest, entries: ReadonlyMap<string, TreeEntry>): ImageBase | undefined {
  if (image === undefined) return undefined;
  const tree = new Map(entries);
  return treeProblem(tree) === undefined && treeHash(tree) === hash ? { image, tree } : undefined;
}

/** Reads one object's manifest, checked in itself. */
export async function readManifest(store: BlobStore, objectKey: string): Promise<Manifest> {
  const { header, json } = await readHead(store, objectKey);
  const packStart = headerBytes + header.manifestStoredBytes;
  return parseManifest(json, { objectKey, packStart, packBytes: header.packBytes });
}

/** What an object's manifest leans on in other objects. @throws SnapshotDamagedError */
export async function readReferences(store: BlobStore, objectKey: string): Promise<readonly ObjectReference[]> {
  return referencesOf(await readManifest(store, objectKey), objectKey);
}
