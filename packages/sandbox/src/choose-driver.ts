// Chooses the driver for this machine: the strongest one that works and meets the operator's minimum.

import { createBwrapDriver } from "./bwrap/bwrap-driver.ts";
import { createLandlockDriver } from "./landlock/landlock-driver.ts";
import { createOciDriver } from "./oci/oci-driver.ts";
import { createProcessDriver } from "./process/process-driver.ts";
import type { DriverName, Guarantees, SandboxDriver } from "./types.ts";

interface DriverOptions {
  readonly ahead: boolean;
  readonly ownDir?: string;
  readonly runtime?: string;
  readonly bwrapPath?: string;
}

/** All drivers, the strongest first. */
const drivers: Record<DriverName, (o: DriverOptions) => SandboxDriver> = {
  bwrap: createBwrapDriver,
  oci: createOciDriver,
  landlock: createLandlockDriver,
  process: () => createProcessDriver(),
};

export interface ChosenDriver {
  readonly driver: SandboxDriver;
  readonly guarantees: Guarantees;
  /** Stronger drivers, with the reasons why they were rejected. */
  readonly rejected: readonly { readonly name: string; readonly reason: string }[];
}

/** No driver works on this machine and meets the minimum. The message lists each driver with the reason. */
export class NoSandboxDriverError extends Error {
  override readonly name = "NoSandboxDriverError";
}

/**
 * Tests drivers, strongest first, and returns the first that meets `minimum`. `required`: only this driver. `ahead`:
 * the driver may keep a process ready for the next sandbox, until it is closed. `ownDir`: where this process creates
 * the directories of sandboxes. `ociRuntime`: name or absolute path of the runtime for `oci`. `bwrapPath`: the
 * bubblewrap for `bwrap`.
 * @throws NoSandboxDriverError if there is none, or `required` cannot be used
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
    throw new NoSandboxDriverError(`there is no sandbox driver "${required}"; the drivers are ${names.join(", ")}`);
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
      ? `no sandbox driver meets the minimum "${o.minimum}" on this machine (${reasons})`
      : `the required sandbox driver cannot be used (${reasons})`,
  );
}
