// Ties tests to the security table: a test declares what it shows, and each file checks that it shows everything that
// the table attributes to it.

import { describe, expect, test } from "@jest/globals";
import {
  guaranteesOf,
  tableDrivers,
  type Evidence,
  type Guarantee,
  type Guarantees,
  type SandboxDriver,
} from "@dari/sandbox";

/** What the tests of this file show. Each test file loads this module separately. */
const shown = new Set<string>();

/** Returns jest's `test`, for a test that shows `guarantees` for this driver. */
export function testGuarantee(guarantees: Guarantee | readonly Guarantee[], driver: string): typeof test {
  for (const guarantee of [guarantees].flat()) shown.add(`${guarantee} ${driver}`);
  return test;
}

/** `npm test` runs a suite with the first way, which is the machine's best; another ring runs it with all others. */
export function waysOfThisRun<T>(ways: readonly T[]): T[] {
  return (process.env["DARI_TEST_RING"] ?? "default") === "default" ? ways.slice(0, 1) : ways.slice(1);
}

/** Does what `describe.each` does, and accepts an empty list. */
export function describeEach<T>(ways: readonly T[]): (title: string, suite: (way: T) => void) => void {
  return (title, suite) => {
    if (ways.length > 0) describe.each([...ways])(title, suite as never);
  };
}

interface Candidate {
  readonly name: string;
  /** `undefined` if this machine cannot run the driver's tests. */
  readonly guarantees: { readonly users: string } | undefined;
}

/** For tests of the worker's own code, which is the same whatever the driver. */
export function testGuaranteeForAllDrivers(guarantee: Guarantee): typeof test {
  for (const name of tableDrivers) testGuarantee(guarantee, name);
  return test;
}

const usable = { users: "shared" } as const;
export const everyDriver: readonly Candidate[] = tableDrivers.map((name) => ({ name, guarantees: usable }));

/** Returns the driver as `testCoversSecurityTable` takes it. `isOff`: the file's tests cannot run on this machine. */
export async function probeCandidate(
  driver: Pick<SandboxDriver, "name" | "probe">,
  isOff: (guarantees: Guarantees) => boolean = () => false,
): Promise<Candidate> {
  const found = await driver.probe();
  return { name: driver.name, guarantees: found.ok && !isOff(found.guarantees) ? found.guarantees : undefined };
}

/**
 * Belongs at the end of `file`. `candidates`: the drivers of its tests, also those that cannot be used here. `inRun`:
 * the ways that this run takes, by default all.
 */
export function testCoversSecurityTable(
  file: Evidence,
  candidates: readonly Candidate[],
  inRun?: readonly { readonly driver: { readonly name: string } }[],
): void {
  test("shows all that the security table says of it, for each driver that can be used here", () => {
    const claims = guaranteesOf(file);
    const names = candidates.map(({ name }) => name);
    expect(claims.filter(({ driver }) => !names.includes(driver))).toEqual([]);
    const due = claims.filter(({ driver, needsHostUsers }) => {
      if (inRun !== undefined && !inRun.some((way) => way.driver.name === driver)) return false;
      const usable = candidates.find((one) => one.name === driver && one.guarantees !== undefined)?.guarantees;
      return usable !== undefined && (!needsHostUsers || usable.users === "own");
    });
    const missing = due.map(({ guarantee, driver }) => `${guarantee} ${driver}`).filter((one) => !shown.has(one));
    expect(missing).toEqual([]);
  });
}
