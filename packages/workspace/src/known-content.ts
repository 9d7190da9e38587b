// Which contents are stored already, so that they are referenced and not stored again. Knows no disk.

import type { ChunkLocation, Tree, TreeEntry } from "./tree.ts";

/**
 * Where a tree and its descendants have each content: paths to look at, never believed. One index serves all trees of
 * a line, so that a save adds what it stored and reads nothing else.
 */
interface ContentIndex {
  readonly files: Map<string, string>;
  readonly chunks: Map<string, { readonly path: string; readonly at: number }>;
}

const indexes = new WeakMap<Tree, ContentIndex>();
/** An index with more entries of removed contents than this is made again. */
const staleMax = 10_000;

/** Contents of one saved tree by sha256: of whole files, and of the chunks of large ones. */
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

  /** A stored chunk that is a frame of its own. */
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

  /** `tree` was made from this one by these entries: it knows them as well. */
  passOn(tree: Tree, entries: Iterable<TreeEntry>): void {
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
