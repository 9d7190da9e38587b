// Reads and checks uploaded bundles, and names what is built from them. Builds and runs nothing.

export { archiveFault } from "./archive-fault.ts";
export type { ImageRef } from "./image-ref.ts";
export { inspectBundle, type BundleInspection } from "./inspect-bundle.ts";
export type { DependencyLayerRef, DependencyLayerRegistry } from "./dependency-layer.ts";
export { NameRegistry, normalizeEntryName } from "./entry-names.ts";
export { BundleRefused, defaultBundleLimits, type BundleLimits, type BundleEntry } from "./read-bundle.ts";
export { readBundleFile, type BundleFile } from "./read-bundle-file.ts";
export { unpackBundle } from "./unpack-bundle.ts";
