// Node's flags: the heap is limited by the agent's memory.

import { expect, test } from "@jest/globals";
import { guestCommand } from "./guest-command.ts";

const MiB = 1024 ** 2;
const room = ["--min-semi-space-size=48", "--max-semi-space-size=48"];
const small = ["--max-semi-space-size=16"];

const flagsOf = (memoryMiB: number | undefined, entryFile: string, nodeOptions?: string): string[] => {
  const memoryBytes = memoryMiB === undefined ? undefined : memoryMiB * MiB;
  return guestCommand("typescript", process.execPath, { entryFile, memoryBytes, nodeOptions }).argv.slice(1, -1);
};

test.each([
  [128, 64, small, small],
  [256, 160, small, small],
  [512, 384, small, small],
  [1_024, 768, [], room],
  [4_096, 3_584, [], room],
  [8_192, 7_680, [], room],
])("an agent with %d MiB has a heap of %d MiB", (memory, heap, plain, bundled) => {
  const flag = `--max-old-space-size=${heap}`;
  expect(flagsOf(memory, "agent.mjs")).toEqual([flag, ...plain]);
  expect(flagsOf(memory, "agent.dari.load.cjs")).toEqual([flag, ...bundled]);
});

test("a fork does not begin with collecting garbage", () => {
  const forked = { isTemplate: true, forkModule: "/fork.node" };
  expect(guestCommand("typescript", process.execPath, forked).argv).toContain("--no-memory-reducer");
  expect(flagsOf(undefined, "agent.mjs")).not.toContain("--no-memory-reducer");
});

test.each([
  [1_024, undefined, true],
  [undefined, undefined, true],
  [512, undefined, false],
  [1_024, "--max-old-space-size=100", false],
])("a template with %d MiB and NODE_OPTIONS=%s compiles all functions ahead: %s", (memory, nodeOptions, isAhead) => {
  const memoryBytes = memory === undefined ? undefined : memory * MiB;
  const forked = { isTemplate: true, forkModule: "/fork.node", memoryBytes, nodeOptions };
  const { argv } = guestCommand("typescript", process.execPath, forked);
  expect(argv.includes("--no-lazy")).toBe(isAhead);
});

test("without a limit, V8 chooses", () => {
  expect([flagsOf(undefined, "agent.mjs"), flagsOf(undefined, "agent.dari.load.cjs")]).toEqual([[], room]);
});

test.each(["--max-old-space-size=100", "--no-warnings --max_old_space_size 100"])(
  "an agent's %s is kept",
  (options) => {
    expect([flagsOf(512, "agent.mjs", options), flagsOf(512, "agent.mjs", "--no-warnings").length]).toEqual([[], 2]);
    expect(flagsOf(4_096, "agent.dari.load.cjs", options)).toEqual(room);
  },
);
