// What a layer of dependencies is, and who sees to it that each is built once. Knows no database.

/** Enough to fetch a layer and to verify it. */
export interface DependencyLayerRef {
  /** sha256 of the layer's tar before compression, 64 hex digits. */
  readonly digest: string;
  readonly objectKey: string;
}

export interface DependencyLayerRegistry {
  /**
   * The layer of this key: one that is there, or what `make` makes. Of any number of callers in the organization at
   * once, on any machine, one makes it and the others wait; when that one fails or dies, another takes over.
   * `make` is given a signal of its own that also aborts when its right to make the layer is lost.
   * @throws what `make` throws; the signal's reason.
   */
  obtain(
    key: string,
    make: (signal: AbortSignal) => Promise<DependencyLayerRef>,
    signal: AbortSignal,
  ): Promise<DependencyLayerRef>;
}
