// Reads and checks uploaded bundles, and identifies what is built from them. Does not build or run anything.

export { findArchiveFault } from "./find-archive-fault.ts";
export type { ImageRef } from "./image-ref.ts";
export { inspectBundle } from "./inspect-bundle.ts";
export type { DependencyLayerRef, DependencyLayerRegistry } from "./dependency-layer.ts";
export { NameRegistry, normalizeEntryName } from "./entry-names.ts";
export { BundleRefusedError, defaultBundleLimits } from "./read-bundle.ts";
export { readBundleFile } from "./read-bundle-file.ts";
export { unpackBundle } from "./unpack-bundle.ts";
