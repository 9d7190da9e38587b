// Builds the packages that users install.

export { buildPackages, type BuiltPackage } from "./build-packages.ts";
export { readRepeatedVersions, readVersion } from "./release/version.ts";
