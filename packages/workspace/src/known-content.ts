// Which contents are stored already, so that they are referenced and not stored again. Knows no disk.

import type { ChunkLocation, Tree } from "./tree.ts";

/** Contents of one tree by sha256: of whole files, and of the chunks of large ones. */
export class KnownContent {
  readonly #files = new Map<string, readonly ChunkLocation[]>();
  readonly #chunks = new Map<string, ChunkLocation>();

  constructor(tree: Tree) {
    for (const { sha256, location } of tree.values()) {
      if (sha256 !== undefined && location !== undefined) this.addFile(sha256, location);
    }
  }

  file(sha256: string): readonly ChunkLocation[] | undefined {
    return this.#files.get(sha256);
  }

  /** A stored chunk that is a frame of its own. */
  chunk(sha256: string, sizeBytes: number): ChunkLocation | undefined {
    const chunk = this.#chunks.get(sha256);
    return chunk?.sizeBytes === sizeBytes ? chunk : undefined;
  }

  addFile(sha256: string, location: readonly ChunkLocation[]): void {
    this.#files.set(sha256, location);
    if (location.length > 1) location.forEach((chunk) => this.addChunk(chunk));
  }

  addChunk(chunk: ChunkLocation): void {
    this.#chunks.set(chunk.sha256, chunk);
  }
}
