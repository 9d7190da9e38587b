// What the kernel counts for a sandbox's user.

import { expect, test } from "@jest/globals";
import { countProcessesOfUser, isHostRoot } from "./rlimits.ts";

const hostUser = 1_900_000_001;

test.each([
  ["a host user without control groups", { hostUser, isBounded: false }, 2_048],
  ["the worker's own user without control groups", { isBounded: false }, isHostRoot() ? undefined : 512],
  // Linux before 5.14 counts all sandboxes of a user together.
  ["a host user whose control groups count each sandbox", { hostUser, isBounded: true }, undefined],
  ["the worker's own user whose control groups count each sandbox", { isBounded: true }, undefined],
])("processes of %s", (_, o, expected) => {
  expect(countProcessesOfUser({ processes: 512 }, o)).toBe(expected);
  expect(countProcessesOfUser({}, o)).toBeUndefined();
});
