// The packages that users install, as data.

export interface PackageSource {
  /** How it is built. */
  readonly kind: "command" | "library" | "wheel";
  /** Its folder in this repository. */
  readonly folder: string;
}

/** A built package. */
export interface PackageFile {
  readonly name: string;
  readonly version: string;
  readonly file: string;
  readonly content: Uint8Array;
}

export const packages: readonly PackageSource[] = [
  { kind: "command", folder: "apps/cli" },
  { kind: "library", folder: "packages/client" },
  { kind: "library", folder: "packages/react" },
  { kind: "wheel", folder: "packages/client-python" },
  { kind: "library", folder: "packages/agent" },
  { kind: "wheel", folder: "packages/agent-python" },
];
