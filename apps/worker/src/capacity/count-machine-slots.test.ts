// How many turns a machine can run.

import { expect, test } from "@jest/globals";
import { countMachineSlots, readMachineLimits } from "./count-machine-slots.ts";

test.each([
  [{ openFiles: 1_048_576, processes: 4_194_304, processors: 2 }, 400],
  [{ openFiles: 1_024, processes: 4_194_304, processors: 8 }, 51],
  [{ openFiles: Infinity, processes: 1_000, processors: 8 }, 50],
  [{ openFiles: 10, processes: 10, processors: 8 }, 1],
  [{ openFiles: Infinity, processes: Infinity, processors: 64 }, 2_000],
])("%o holds %d turns", (machine, slots) => {
  expect(countMachineSlots(machine)).toBe(slots);
});

test("this machine holds at least one turn", () => {
  expect(countMachineSlots(readMachineLimits())).toBeGreaterThanOrEqual(1);
});
