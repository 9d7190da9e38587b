// Starts a new chain for a tree: one object with the whole manifest and with the contents that are moved to it. The
// tree itself does not change.

import type { BlobStore } from "@dari/blobs";
import { hash } from "node:crypto";
import { SnapshotDamagedError } from "../errors.ts";
import { editTree, folderOf } from "../tree/folder.ts";
import { decodeFrame, frameTargetBytes } from "../snapshot/frame.ts";
import { storeSquashfs } from "./store-squashfs.ts";
import { PackWriter } from "./pack-files.ts";
import { readObject } from "../snapshot/read-object.ts";
import { planFetches, type Piece } from "../snapshot/plan-fetches.ts";
import { putObject, type Saved } from "./save-changes.ts";
import { Spool } from "./spool.ts";
import type { ChunkLocation, Tree, TreeEntry } from "../tree/tree.ts";
import { treeHash } from "../tree/tree-hash.ts";

export interface RewriteOptions {
  readonly store: BlobStore;
  /** See `save`. */
  readonly keyPrefix: string;
  /** A saved tree, with locations. */
  readonly tree: Tree;
  /** Objects whose contents are copied into the new object. Contents in other objects are referenced. */
  readonly repack: ReadonlySet<string>;
}

/**
 * Stores the new object, and for a large tree also a squashfs image. Reads one fetch at a time and checks every piece.
 * @throws SnapshotDamagedError
 */
export async function rewriteSnapshot({ store, keyPrefix, tree, repack }: RewriteOptions): Promise<Saved> {
  await using spool = new Spool();
  const objectKey = PackWriter.newKey(keyPrefix);
  const writer = new PackWriter(objectKey, spool);
  const moving = [...tree.values()].filter(({ location = [] }) => location.some((chunk) => isIn(chunk, repack)));
  const moved = await copyPieces(store, moving, repack, writer);
  const edits = moving.map((entry) => ({ path: entry.path, entry: relocated(entry, repack, moved) }));
  const result = editTree(tree, edits);
  const manifest = {
    kind: "full",
    base: null,
    tree: treeHash(tree),
    entries: [...result.values()],
    deleted: [],
    squashfs: await storeSquashfs({ store, keyPrefix, tree }),
  } as const;
  const stored = await putObject({ store, objectKey, manifest, writer, spool });
  const { files, bytes } = folderOf(result);
  return { ...stored, treeHash: manifest.tree, tree: result, files, totalBytes: bytes };
}

function isIn({ frame }: ChunkLocation, objects: ReadonlySet<string>): boolean {
  return objects.has(frame.objectKey);
}

// Copies pieces into new frames. Each chunk of a large file gets a frame of its own. Other contents share frames.
async function copyPieces(
  store: BlobStore,
  moving: readonly TreeEntry[],
  repack: ReadonlySet<string>,
  writer: PackWriter,
): Promise<Map<string, ChunkLocation>> {
  const moved = new Map<string, ChunkLocation>();
  let group: { name: string; sha256: string; bytes: Buffer }[] = [];
  const closeGroup = async (): Promise<void> => {
    if (group.length === 0) return;
    const frame = await writer.add(Buffer.concat(group.map(({ bytes }) => bytes)));
    let offset = 0;
    for (const { name, sha256, bytes } of group) {
      moved.set(name, { frame, offset, sizeBytes: bytes.length, sha256 });
      offset += bytes.length;
    }
    group = [];
  };
  const wanted = moving.map((entry) => ({
    ...entry,
    location: (entry.location ?? []).filter((chunk) => isIn(chunk, repack)),
  }));
  const isChunk = new Set(moving.filter(({ location = [] }) => location.length > 1).map(({ path }) => path));
  const known = new Set<string>();
  for (const fetch of planFetches(wanted)) {
    const stored = await readObject(store, fetch.objectKey, fetch.offset, fetch.sizeBytes);
    for (const { frame, pieces } of fetch.frames) {
      const start = frame.offset - fetch.offset;
      const raw = await decodeFrame(frame, stored.subarray(start, start + frame.storedBytes));
      for (const piece of pieces) {
        const isOwnFrame = isChunk.has(piece.entry.path);
        const name = nameOf(piece.sha256, isOwnFrame);
        if (known.has(name)) continue;
        known.add(name);
        const bytes = checked(piece, raw, fetch.objectKey);
        if (isOwnFrame) {
          const place = { frame: await writer.add(bytes), offset: 0, sizeBytes: bytes.length, sha256: piece.sha256 };
          moved.set(name, place);
          continue;
        }
        group.push({ name, sha256: piece.sha256, bytes });
        if (group.reduce((sum, one) => sum + one.bytes.length, 0) >= frameTargetBytes) await closeGroup();
      }
    }
  }
  await closeGroup();
  await writer.finish();
  return moved;
}

function nameOf(sha256: string, isOwnFrame: boolean): string {
  return `${isOwnFrame ? "chunk" : "file"} ${sha256}`;
}

function checked({ entry, sha256, frameOffset, sizeBytes }: Piece, raw: Buffer, objectKey: string): Buffer {
  const bytes = raw.subarray(frameOffset, frameOffset + sizeBytes);
  if (bytes.length === sizeBytes && hash("sha256", bytes) === sha256) return bytes;
  throw new SnapshotDamagedError(objectKey, `the content of ${JSON.stringify(entry.path)} is not what was saved`);
}

function relocated(
  entry: TreeEntry,
  repack: ReadonlySet<string>,
  moved: ReadonlyMap<string, ChunkLocation>,
): TreeEntry {
  const { location = [] } = entry;
  const places = location.map((chunk) => {
    if (!isIn(chunk, repack)) return chunk;
    const place = moved.get(nameOf(chunk.sha256, location.length > 1));
    if (place === undefined) throw new Error(`no content was copied for ${entry.path}`);
    return place;
  });
  return { ...entry, location: places };
}
