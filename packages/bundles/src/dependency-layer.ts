// What a dependency layer is, and the interface that builds each one once. Independent of the database.

/** Enough to fetch a layer and to verify it. */
export interface DependencyLayerRef {
  /** sha256 of the layer's tar before compression, 64 hex digits. */
  readonly digest: string;
  readonly objectKey: string;
}

export interface DependencyLayerRegistry {
  /**
   * Returns the layer of this key: an existing one, or the result of `make`. Of all concurrent callers in the
   * organization, on any machine, one makes it and the others wait; if that one fails or dies, another takes over.
   * `make` gets its own signal, which also aborts when the caller loses its claim on the layer.
   * @throws what `make` throws; the signal's reason.
   */
  obtain(
    key: string,
    make: (signal: AbortSignal) => Promise<DependencyLayerRef>,
    signal: AbortSignal,
  ): Promise<DependencyLayerRef>;
}
