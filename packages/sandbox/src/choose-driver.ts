// Which driver this machine gets: the first that works and gives what the operator asks for.

import { createBwrapDriver } from "./bwrap-driver.ts";
import { createLandlockDriver } from "./landlock/landlock-driver.ts";
import { createOciDriver } from "./oci/oci-driver.ts";
import { createProcessDriver } from "./process-driver.ts";
import type { DriverName, Guarantees, SandboxDriver } from "./types.ts";

interface DriverOptions {
  readonly ahead: boolean;
  readonly ownDir?: string;
  readonly runtime?: string;
  readonly bwrapPath?: string;
}

/** Strongest first. */
const drivers: Record<DriverName, (o: DriverOptions) => SandboxDriver> = {
  bwrap: createBwrapDriver,
  oci: createOciDriver,
  landlock: createLandlockDriver,
  process: () => createProcessDriver(),
};

export interface ChosenDriver {
  readonly driver: SandboxDriver;
  readonly guarantees: Guarantees;
  /** Drivers that were tried before it, each with why it was not taken. */
  readonly rejected: readonly { readonly name: string; readonly reason: string }[];
}

/** No driver of this machine gives the minimum; the message lists each with its reason. */
export class NoSandboxDriverError extends Error {
  override readonly name = "NoSandboxDriverError";
}

/**
 * Probes drivers, strongest first, and takes the first that gives `minimum`. `required`: this driver and no other.
 * `ahead`: the driver may keep something started for the next sandbox, until it is closed. `ownDir`: where this process
 * makes the directories of sandboxes. `ociRuntime`: by name or absolute path, the one that `oci` uses. `bwrapPath`: the
 * bubblewrap that `bwrap` uses.
 * @throws NoSandboxDriverError when there is none or `required` cannot be used
 */
export async function chooseDriver(o: {
  minimum: "none" | "isolated";
  required?: string;
  ahead?: boolean;
  ownDir?: string;
  ociRuntime?: string;
  bwrapPath?: string;
}): Promise<ChosenDriver> {
  const { ahead = false, required, ownDir, ociRuntime: runtime, bwrapPath } = o;
  const names = Object.keys(drivers) as DriverName[];
  const order = required === undefined ? names : names.filter((name) => name === required);
  if (order.length === 0) {
    throw new NoSandboxDriverError(`there is no sandbox driver "${required}"; there are ${names.join(", ")}`);
  }
  const rejected: { name: string; reason: string }[] = [];
  for (const name of order) {
    const driver = drivers[name]({
      ahead,
      ...(ownDir && { ownDir }),
      ...(runtime && { runtime }),
      ...(bwrapPath && { bwrapPath }),
    });
    const result = await driver.probe();
    if (!result.ok) {
      rejected.push({ name, reason: result.reason });
    } else if (o.minimum === "isolated" && !result.guarantees.isolated) {
      rejected.push({ name, reason: "it does not isolate" });
    } else {
      return { driver, guarantees: result.guarantees, rejected };
    }
  }
  const reasons = rejected.map(({ name, reason }) => `${name}: ${reason}`).join("; ");
  throw new NoSandboxDriverError(
    required === undefined
      ? `no sandbox driver gives the minimum "${o.minimum}" (${reasons})`
      : `the sandbox driver that was asked for cannot be used (${reasons})`,
  );
}
