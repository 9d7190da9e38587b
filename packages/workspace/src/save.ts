// Writes what a turn changed as one object. Knows nothing of sessions, heads or chains.

import type { BlobStore } from "@dari/blobs";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { diff } from "./diff.ts";
import { KnownContent } from "./known-content.ts";
import { manifestJson, type Manifest } from "./manifest.ts";
import { PackWriter, packFiles } from "./pack.ts";
import { PermissionLoan } from "./permission-loan.ts";
import { encodeHead } from "./snapshot-object.ts";
import { Spool } from "./spool.ts";
import { emptySha256, treeOf, treeRoots, type ChunkLocation, type Tree, type TreeEntry } from "./tree.ts";
import { treeHash } from "./tree-hash.ts";

export interface SaveOptions {
  readonly store: BlobStore;
  /** The object's key is this, a slash and a random name. */
  readonly keyPrefix: string;
  /** Holds every file of `after` whose content is in no file of `before`; others are not read. */
  readonly dir: string;
  /** The session's newest saved tree, with locations. */
  readonly before: Tree;
  /** What to save, as scanned. */
  readonly after: Tree;
  /** Write the whole manifest, so that a chain can begin here. Contents that are stored are still referenced. */
  readonly full?: boolean;
}

export interface Saved {
  readonly objectKey: string;
  /** Of the new object: what this save stored. */
  readonly sizeBytes: number;
  readonly treeHash: string;
  /** `after` with locations. */
  readonly tree: Tree;
  readonly files: number;
  /** Of all files of the tree. */
  readonly totalBytes: number;
  /** Every object that holds content of the tree, sorted: what must not be deleted while the snapshot is kept. */
  readonly contentKeys: readonly string[];
}

/**
 * Saves `after` as the successor of `before`, in one put. When it throws, nothing is visible in the store.
 * @throws WorkspaceChangedError when a file is not what `after` says; WorkspaceLimitError when all names are too long.
 */
export async function save(options: SaveOptions): Promise<Saved> {
  const { store, keyPrefix, dir, before, after, full = false } = options;
  const objectKey = `${keyPrefix.replace(/\/+$/, "")}/${randomUUID()}`;
  await using spool = new Spool();
  const writer = new PackWriter(objectKey, spool);
  const known = new KnownContent(before);
  const missing = [...after.values()].filter((entry) => isContentMissing(entry, known));
  await packMissing(missing, dir, after, known, writer);

  const tree = treeOf([...after.values()].map((entry) => withLocation(entry, before, known)));
  const hash = treeHash(tree);
  const json = manifestJson(manifestOf(before, tree, hash, full), objectKey);
  const head = await encodeHead(json, spool.sizeBytes);
  // Until here the frames of this object counted from the pack's start, as its manifest has them.
  for (const frame of writer.frames) frame.offset += head.length;
  async function* body(): AsyncGenerator<Uint8Array> {
    yield head;
    yield* spool.stream();
  }
  const { sizeBytes } = await store.put(objectKey, body());
  return { objectKey, sizeBytes, treeHash: hash, tree, ...countsOf(tree) };
}

function isContentMissing(entry: TreeEntry, known: KnownContent): boolean {
  return entry.type === "file" && entry.sizeBytes > 0 && known.file(entry.sha256 ?? "") === undefined;
}

async function packMissing(
  missing: readonly TreeEntry[],
  dir: string,
  after: Tree,
  known: KnownContent,
  writer: PackWriter,
): Promise<void> {
  if (missing.length === 0) return;
  using loan = new PermissionLoan();
  for (const root of treeRoots) loan.takeFolder(join(dir, root));
  for (const { type, path, mode } of after.values()) {
    if (type === "directory" && (mode & 0o500) !== 0o500) loan.takeFolder(join(dir, path));
  }
  await packFiles(missing, { dir, loan, known }, writer);
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

function manifestOf(before: Tree, tree: Tree, hash: string, full: boolean): Manifest {
  if (full) return { kind: "full", base: null, tree: hash, entries: [...tree.values()], deleted: [] };
  const changes = diff(before, tree);
  const entries = changes.flatMap(({ path }) => tree.get(path) ?? []);
  const deleted = changes.flatMap(({ path, change }) => (change === "deleted" ? path : []));
  return { kind: "delta", base: treeHash(before), tree: hash, entries, deleted };
}

function countsOf(tree: Tree): Pick<Saved, "files" | "totalBytes" | "contentKeys"> {
  let [files, totalBytes] = [0, 0];
  const keys = new Set<string>();
  for (const { type, sizeBytes, location = [] } of tree.values()) {
    if (type !== "file") continue;
    files++;
    totalBytes += sizeBytes;
    for (const { frame } of location) keys.add(frame.objectKey);
  }
  return { files, totalBytes, contentKeys: [...keys].sort() };
}
