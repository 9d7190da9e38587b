// Builds a bundle into an installed, cached, read-only agent image.

export { listSdkFiles, sdkLeftovers, type SdkFile } from "./image/sdk-files.ts";
export { RuntimeUnavailableError } from "./runtimes/runtime.ts";
export { createRuntimes, type Runtimes } from "./runtimes/runtimes.ts";
export { buildImage, type BuildResult } from "./build/build-image.ts";
export { bundleNodeGuest } from "./build/bundle-guest.ts";
export type { BuildEgress } from "./build/install-network.ts";
export { openImageCache, type ImageCache } from "./image/image-cache.ts";
