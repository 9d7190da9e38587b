// Writes what a turn changed as one object.

import type { BlobStore } from "@dari/blobs";
import { join } from "node:path";
import { diff } from "../tree/diff-trees.ts";
import { editTree, folderOf, type TreeEdit } from "../tree/folder.ts";
import { getSquashfsBase, setSquashfsBase } from "../snapshot/squashfs-image.ts";
import { KnownContent } from "./known-content.ts";
import { renderSnapshotManifest, type SnapshotManifest } from "../snapshot/snapshot-manifest.ts";
import { PackWriter, packFiles } from "./pack-files.ts";
import { PermissionLoan } from "../directory/permission-loan.ts";
import { encodeHead } from "../snapshot/snapshot-object.ts";
import { referencesOf, type ObjectReference } from "../snapshot/list-references.ts";
import { Spool } from "./spool.ts";
import { emptySha256, parentOf, sortPaths, type ChunkLocation, type Tree, type TreeEntry } from "../tree/tree.ts";
import { treeHash } from "../tree/tree-hash.ts";

export interface SaveOptions {
  readonly store: BlobStore;
  /** The object's key consists of this prefix, a slash and a random name. */
  readonly keyPrefix: string;
  /** The directory with every file of `after` whose content is in no file of `before`. Other files are not read. */
  readonly dir: string;
  /** The session's newest saved tree, with locations. */
  readonly before: Tree;
  /** The tree to save, as scanned. */
  readonly after: Tree;
  /** Writes the whole manifest, so that a chain can begin here. Stored contents are still referenced. */
  readonly full?: boolean;
}

export interface Saved {
  readonly objectKey: string;
  /** Size of the new object. */
  readonly sizeBytes: number;
  readonly treeHash: string;
  /** `after` with locations. */
  readonly tree: Tree;
  readonly files: number;
  /** Total size of the tree's files. */
  readonly totalBytes: number;
  /**
   * Other objects that this object references. They must not be deleted before it. Does not repeat the references of
   * the base.
   */
  readonly references: readonly ObjectReference[];
}

/**
 * Saves `after` as the successor of `before`, in one put. If it throws, nothing is visible in the store.
 * @throws WorkspaceChangedError if a file differs from `after`; WorkspaceLimitError if all names together are too long.
 */
export async function save(options: SaveOptions): Promise<Saved> {
  const { store, keyPrefix, dir, before, after, full = false } = options;
  const objectKey = PackWriter.newKey(keyPrefix);
  await using spool = new Spool();
  const writer = new PackWriter(objectKey, spool);
  const known = new KnownContent(before);
  const changes = diff(before, after);
  const changed = changes.flatMap(({ path }) => after.get(path) ?? []);
  const missing = changed.filter((entry) => isContentMissing(entry, known));
  await packMissing(missing, dir, known, writer);

  const entries = changed.map((entry) => withLocation(entry, before, known));
  const deleted = changes.flatMap(({ path, change }) => (change === "deleted" ? path : []));
  const tree = editTree(before, [...deleted.map((path) => ({ path, entry: undefined })), ...entries.map(editOf)]);
  const hash = treeHash(tree);
  const manifest: SnapshotManifest = full
    ? { kind: "full", base: null, tree: hash, entries: [...tree.values()], deleted: [] }
    : { kind: "delta", base: treeHash(before), tree: hash, entries, deleted };
  const stored = await putObject({ store, objectKey, manifest, writer, spool });
  known.shareIndex(tree, entries);
  setSquashfsBase(tree, getSquashfsBase(before));
  const { files, bytes } = folderOf(tree);
  return { ...stored, treeHash: hash, tree, files, totalBytes: bytes };
}

/** Writes head and pack as one object. Afterwards, the frames of `writer` have their offsets in the object. */
export async function putObject(o: {
  store: BlobStore;
  objectKey: string;
  manifest: SnapshotManifest;
  writer: PackWriter;
  spool: Spool;
}): Promise<Pick<Saved, "objectKey" | "sizeBytes" | "references">> {
  const { store, objectKey, manifest, writer, spool } = o;
  const head = await encodeHead(renderSnapshotManifest(manifest, objectKey), spool.sizeBytes);
  // In the manifest, offsets of this object's frames are relative to the start of the pack. From here on, they are
  // relative to the start of the object.
  for (const frame of writer.frames) frame.offset += head.length;
  async function* body(): AsyncGenerator<Uint8Array> {
    yield head;
    yield* spool.stream();
  }
  const { sizeBytes } = await store.put(objectKey, body());
  return { objectKey, sizeBytes, references: referencesOf(manifest, objectKey) };
}

function isContentMissing(entry: TreeEntry, known: KnownContent): boolean {
  return entry.type === "file" && entry.sizeBytes > 0 && known.file(entry.sha256 ?? "") === undefined;
}

async function packMissing(
  missing: readonly TreeEntry[],
  dir: string,
  known: KnownContent,
  writer: PackWriter,
): Promise<void> {
  if (missing.length === 0) return;
  using loan = new PermissionLoan();
  const folders = new Set<string>();
  for (const { path } of missing) {
    for (let at = parentOf(path); at !== "" && !folders.has(at); at = parentOf(at)) folders.add(at);
  }
  // Unlock each folder before its subfolders.
  for (const folder of sortPaths([...folders])) loan.takeFolder(join(dir, folder));
  await packFiles(missing, { dir, loan, known }, writer);
}

function editOf(entry: TreeEntry): TreeEdit {
  return { path: entry.path, entry };
}

function withLocation(entry: TreeEntry, before: Tree, known: KnownContent): TreeEntry {
  if (entry.type !== "file") return entry;
  return { ...entry, location: locationOf(entry, before, known) };
}

function locationOf(entry: TreeEntry, before: Tree, known: KnownContent): readonly ChunkLocation[] {
  if (entry.sizeBytes === 0 && entry.sha256 === emptySha256) return [];
  const old = before.get(entry.path);
  const kept = old?.sha256 === entry.sha256 ? old?.location : undefined;
  const location = kept ?? known.file(entry.sha256 ?? "");
  if (location === undefined) throw new Error(`no content was stored for ${entry.path}`);
  return location;
}
