// The manifest of a snapshot, and its JSON text, which parse-snapshot-manifest.ts reads and checks.

import type { SquashfsRef } from "./squashfs-image.ts";
import type { ChunkLocation, Frame, TreeEntry } from "../tree/tree.ts";

export interface SnapshotManifest {
  readonly kind: "delta" | "full";
  /** Hash of the tree that a delta applies to; null for a full manifest. */
  readonly base: string | null;
  /** Hash of the resulting tree. */
  readonly tree: string;
  readonly entries: readonly TreeEntry[];
  /** Paths of the base that are not in the result. */
  readonly deleted: readonly string[];
  /** Only in a full manifest: the tree as a mountable file. */
  readonly squashfs?: SquashfsRef | undefined;
}

/**
 * Returns the JSON text. Frames of `selfKey` have offsets from the start of the pack, because the pack's own start
 * depends on the length of the text; frames of other objects have offsets from the object's start.
 */
export function renderSnapshotManifest(manifest: SnapshotManifest, selfKey: string): string {
  const tables = new Tables(selfKey);
  const entries = manifest.entries.map((entry) => entryTuple(entry, tables));
  const { kind, base, tree, deleted } = manifest;
  const squashfs = manifest.squashfs === undefined ? {} : { image: squashfsTuple(manifest.squashfs) };
  return JSON.stringify({
    kind,
    base,
    tree,
    ...squashfs,
    objects: tables.objects,
    frames: tables.frames,
    // A separate list: programs that do not know hashes refuse a frame with an extra value, and ignore an extra member.
    frame_hashes: tables.frameHashes,
    entries,
    deleted,
  });
}

function squashfsTuple({ objectKey, sizeBytes, chunks }: SquashfsRef): unknown {
  return ["squashfs", objectKey, sizeBytes, chunks];
}

type Tuple = readonly (string | number | readonly Tuple[])[];

function entryTuple(entry: TreeEntry, tables: Tables): Tuple {
  const { path, mode, sizeBytes, sha256 = "", location = [] } = entry;
  if (entry.type === "directory") return ["d", path, mode];
  if (entry.type === "symlink") return ["l", path, entry.target ?? ""];
  const [only] = location;
  if (only === undefined) return ["f", path, mode, 0, sha256];
  if (location.length === 1) return ["f", path, mode, sizeBytes, sha256, tables.frameIndex(only.frame), only.offset];
  return ["c", path, mode, sizeBytes, sha256, location.map((chunk) => chunkTuple(chunk, tables))];
}

function chunkTuple(chunk: ChunkLocation, tables: Tables): Tuple {
  return [tables.frameIndex(chunk.frame), chunk.sha256];
}

// Lists each frame and object key once. Entries reference them by their index, because they repeat often.
class Tables {
  readonly objects: string[] = [];
  readonly frames: Tuple[] = [];
  readonly frameHashes: (string | null)[] = [];
  readonly #objectIndexes: Map<string, number>;
  readonly #frameIndexes = new Map<string, number>();

  constructor(selfKey: string) {
    this.#objectIndexes = new Map([[selfKey, 0]]);
  }

  frameIndex(frame: Frame): number {
    const name = `${frame.objectKey} ${frame.offset}`;
    const known = this.#frameIndexes.get(name);
    if (known !== undefined) return known;
    const { offset, storedBytes, sizeBytes, codec, sha256 } = frame;
    const object = this.#objectIndex(frame.objectKey);
    this.frames.push([object, offset, storedBytes, sizeBytes, codec === "zstd" ? 1 : 0]);
    this.frameHashes.push(sha256 ?? null);
    this.#frameIndexes.set(name, this.frames.length - 1);
    return this.frames.length - 1;
  }

  #objectIndex(key: string): number {
    const known = this.#objectIndexes.get(key);
    if (known !== undefined) return known;
    this.objects.push(key);
    this.#objectIndexes.set(key, this.objects.length);
    return this.objects.length;
  }
}
