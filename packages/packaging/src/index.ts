// Builds the packages that users install.

export { buildPackages, type BuiltPackage } from "./build-packages.ts";
