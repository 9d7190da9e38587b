// The contents that are already stored. Saves reference these instead of storing them again.

import type { ChunkLocation, Tree, TreeEntry } from "../tree/tree.ts";

/**
 * Where each content is in a tree and the trees that were made from it. The places are hints, which are always checked.
 * All these trees share one index, so that a save only adds what it stored.
 */
interface ContentIndex {
  readonly files: Map<string, string>;
  readonly chunks: Map<string, { readonly path: string; readonly at: number }>;
}

const indexes = new WeakMap<Tree, ContentIndex>();
/** Above this number of entries for removed contents, the index is rebuilt. */
const staleMax = 10_000;

/** The contents of one saved tree by sha256: whole files, and the chunks of large ones. */
export class KnownContent {
  readonly #tree: Tree;
  readonly #index: ContentIndex;
  readonly #files = new Map<string, readonly ChunkLocation[]>();
  readonly #chunks = new Map<string, ChunkLocation>();

  constructor(tree: Tree) {
    this.#tree = tree;
    this.#index = indexOf(tree);
  }

  file(sha256: string): readonly ChunkLocation[] | undefined {
    const added = this.#files.get(sha256);
    if (added !== undefined) return added;
    const entry = this.#tree.get(this.#index.files.get(sha256) ?? "");
    return entry?.sha256 === sha256 ? entry.location : undefined;
  }

  /** Returns a stored chunk that has its own frame. */
  chunk(sha256: string, sizeBytes: number): ChunkLocation | undefined {
    const chunk = this.#chunks.get(sha256) ?? this.#indexedChunk(sha256);
    return chunk?.sizeBytes === sizeBytes ? chunk : undefined;
  }

  addFile(sha256: string, location: readonly ChunkLocation[]): void {
    this.#files.set(sha256, location);
    if (location.length > 1) location.forEach((chunk) => this.addChunk(chunk));
  }

  addChunk(chunk: ChunkLocation): void {
    this.#chunks.set(chunk.sha256, chunk);
  }

  /** Shares the index with `tree`, which was made from this tree by changing `entries`. */
  shareIndex(tree: Tree, entries: Iterable<TreeEntry>): void {
    if (this.#index.files.size > tree.size * 2 + staleMax) return;
    for (const entry of entries) note(this.#index, entry);
    indexes.set(tree, this.#index);
  }

  #indexedChunk(sha256: string): ChunkLocation | undefined {
    const place = this.#index.chunks.get(sha256);
    const chunk = place === undefined ? undefined : this.#tree.get(place.path)?.location?.[place.at];
    return chunk?.sha256 === sha256 ? chunk : undefined;
  }
}

function indexOf(tree: Tree): ContentIndex {
  let index = indexes.get(tree);
  if (index === undefined) {
    index = { files: new Map(), chunks: new Map() };
    for (const entry of tree.values()) note(index, entry);
    indexes.set(tree, index);
  }
  return index;
}

function note(index: ContentIndex, { path, sha256, location }: TreeEntry): void {
  if (sha256 === undefined || location === undefined) return;
  index.files.set(sha256, path);
  if (location.length > 1) location.forEach((chunk, at) => index.chunks.set(chunk.sha256, { path, at }));
}
