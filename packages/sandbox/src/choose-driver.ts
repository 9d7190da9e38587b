// Which driver this machine gets: the first that works and gives what the operator asks for.

import { createBwrapDriver } from "./bwrap-driver.ts";
import { createLandlockDriver } from "./landlock/landlock-driver.ts";
import { createOciDriver } from "./oci/oci-driver.ts";
import { createProcessDriver } from "./process-driver.ts";
import type { DriverName, Guarantees, SandboxDriver } from "./types.ts";

/** Strongest first. */
const drivers: Record<DriverName, (o: { ahead: boolean; ownDir?: string; runtime?: string }) => SandboxDriver> = {
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
 * Probes drivers, `preferred` first, then strongest first, and takes the first that gives `minimum`. `ahead`: the
 * driver may keep something started for the next sandbox, until it is closed. `ownDir`: where this process makes
 * the directories of sandboxes. `ociRuntime`: by name or absolute path, the one that `oci` uses.
 * @throws NoSandboxDriverError when there is none or `preferred` names no driver.
 */
export async function chooseDriver(o: {
  minimum: "none" | "isolated";
  preferred?: string;
  ahead?: boolean;
  ownDir?: string;
  ociRuntime?: string;
}): Promise<ChosenDriver> {
  const names = Object.keys(drivers) as DriverName[];
  if (o.preferred !== undefined && !names.some((name) => name === o.preferred)) {
    throw new NoSandboxDriverError(`there is no sandbox driver "${o.preferred}"; there are ${names.join(", ")}`);
  }
  const order = [...names.filter((name) => name === o.preferred), ...names.filter((name) => name !== o.preferred)];
  const rejected: { name: string; reason: string }[] = [];
  for (const name of order) {
    const { ahead = false, ownDir, ociRuntime: runtime } = o;
    const driver = drivers[name]({ ahead, ...(ownDir && { ownDir }), ...(runtime && { runtime }) });
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
  throw new NoSandboxDriverError(`no sandbox driver gives the minimum "${o.minimum}" (${reasons})`);
}
