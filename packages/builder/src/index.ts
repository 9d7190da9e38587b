// Builds a bundle into an installed, cached, read-only agent image.

export { listSdkFiles, sdkLeftovers, type SdkFile } from "./image/sdk-files.ts";
export { RuntimeUnavailableError, type Runtime, type RuntimeOffer } from "./runtimes/runtime.ts";
export { createRuntimes, type Runtimes, type RuntimesOptions } from "./runtimes/runtimes.ts";
export { buildImage, type BuildOptions, type BuildResult } from "./build/build-image.ts";
export { bundleNodeGuest } from "./build/bundle-guest.ts";
export type { BuildEgress } from "./build/install-network.ts";
export { pythonDependencyDir, type InstallTools } from "./build/installer.ts";
export { openImageCache, type CachedImage, type ImageCache, type ImageLease } from "./image/image-cache.ts";
export { ImageDamagedError } from "./image/unpack-image.ts";
