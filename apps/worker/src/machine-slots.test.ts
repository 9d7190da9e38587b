// How many turns a machine can run, and when its processors are busy.

import { expect, test } from "@jest/globals";
import { countMachineSlots, readMachineLimits } from "./machine-slots.ts";
import { createBusyCheck } from "./processor-load.ts";

test.each([
  [
    { openFiles: 1_048_576, processes: 4_194_304, sandboxes: Infinity },
    { slots: 2_000, limit: "the platform" },
  ],
  [
    { openFiles: 1_024, processes: 4_194_304, sandboxes: Infinity },
    { slots: 51, limit: "open files" },
  ],
  [
    { openFiles: Infinity, processes: 1_000, sandboxes: Infinity },
    { slots: 50, limit: "processes" },
  ],
  [
    { openFiles: 10, processes: 10, sandboxes: Infinity },
    { slots: 1, limit: "open files" },
  ],
  [
    { openFiles: Infinity, processes: Infinity, sandboxes: 64 },
    { slots: 51, limit: "the sandbox driver" },
  ],
])("%o holds %o", (machine, expected) => {
  expect(countMachineSlots(machine)).toEqual(expected);
});

test("this machine holds at least one turn", () => {
  expect(countMachineSlots(readMachineLimits({})).slots).toBeGreaterThanOrEqual(1);
  expect(countMachineSlots(readMachineLimits({ sandboxesMax: 2 })).slots).toBe(1);
});

test("processors are busy if the machine or a control group has used almost all its time", () => {
  let [now, machineMs, groupMs] = [0, 0, 0];
  const readUses = () => [
    { usedMs: machineMs, processors: 4 },
    { usedMs: groupMs, processors: 0.5 },
  ];
  const isBusy = createBusyCheck(readUses, () => now);
  const after = (ms: number, machine: number, group: number): boolean => {
    [now, machineMs, groupMs] = [now + ms, machineMs + machine, groupMs + group];
    return isBusy();
  };
  expect(after(1_000, 3_500, 200)).toBe(false);
  expect(after(1_000, 3_900, 200)).toBe(true);
  // The last answer holds until enough time has passed.
  expect([after(500, 0, 0), after(500, 0, 0)]).toEqual([true, false]);
  expect(after(1_000, 0, 490)).toBe(true);
});
