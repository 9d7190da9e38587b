// What an agent asks for in dari.yml becomes the limit of its sandbox, within the operators' bounds.

import { expect, test } from "@jest/globals";
import { limitsOf, memoryBoundOf } from "./limits-of.ts";

const GiB = 1024 ** 3;
const settings = { keepMs: 0, usesTemplates: false, limits: { memoryBytes: 4 * GiB, processes: 512, cpus: 2 } };
const asking = (runtime: { memory?: string; cpus?: number }) => ({ manifest: { sdk: "function", runtime } });

test.each([
  ["nothing", {}, undefined, { memoryBytes: 4 * GiB, cpus: 2 }],
  ["less", { memory: "512MiB", cpus: 0.5 }, undefined, { memoryBytes: GiB / 2, cpus: 0.5 }],
  ["more without bounds", { memory: "8GiB", cpus: 3 }, undefined, { memoryBytes: 4 * GiB, cpus: 2 }],
  [
    "more within bounds",
    { memory: "8GiB", cpus: 3 },
    { memoryMaxBytes: 9 * GiB, cpusMax: 4 },
    { memoryBytes: 8 * GiB, cpus: 3 },
  ],
  [
    "too much",
    { memory: "16GiB", cpus: 8 },
    { memoryMaxBytes: 9 * GiB, cpusMax: 4 },
    { memoryBytes: 9 * GiB, cpus: 4 },
  ],
  ["nothing below its default", {}, { memoryMaxBytes: GiB, cpusMax: 1 }, { memoryBytes: GiB, cpus: 1 }],
  ["nothing within bounds", {}, { memoryMaxBytes: 9 * GiB, cpusMax: 4 }, { memoryBytes: 4 * GiB, cpus: 2 }],
])("an agent that asks for %s", (_title, runtime, bounds, limits) => {
  const given = bounds === undefined ? settings : { ...settings, bounds };
  expect(limitsOf(given, asking(runtime))).toEqual({ ...settings.limits, ...limits });
});

test("without a limit on processors, an agent gets what it asks for", () => {
  const { cpus: _cpus, ...limits } = settings.limits;
  expect(limitsOf({ ...settings, limits }, asking({ cpus: 3 }))).toMatchObject({ cpus: 3 });
  expect(limitsOf({ ...settings, limits }, asking({}))).toEqual(limits);
  expect(limitsOf({ ...settings, limits, bounds: { cpusMax: 1 } }, asking({}))).toMatchObject({ cpus: 1 });
});

test("an organization's limits hold for what its agents ask for, and for the default", () => {
  const bounded = { ...settings, bounds: { memoryMaxBytes: 9 * GiB, cpusMax: 4 } };
  const turn = (runtime: { memory?: string; cpus?: number }, memoryBytes: number | null, cpus: number | null) => ({
    ...asking(runtime),
    turnBounds: { memoryBytes, cpus },
  });
  expect(limitsOf(bounded, turn({ memory: "8GiB", cpus: 3 }, GiB, 0.5))).toMatchObject({ memoryBytes: GiB, cpus: 0.5 });
  expect(limitsOf(bounded, turn({}, GiB, 1))).toMatchObject({ memoryBytes: GiB, cpus: 1 });
  expect(limitsOf(bounded, turn({}, 16 * GiB, 8))).toMatchObject({ memoryBytes: 4 * GiB, cpus: 2 });
  expect(memoryBoundOf(bounded, turn({}, GiB, null))).toEqual({
    bytes: GiB,
    setting: "the organization's max_turn_memory_bytes",
  });
  for (const memoryBytes of [null, 16 * GiB]) {
    expect(memoryBoundOf(bounded, turn({}, memoryBytes, null))).toEqual({
      bytes: 9 * GiB,
      setting: "DARI_TURN_MEMORY_MAX_BYTES",
    });
  }
});
